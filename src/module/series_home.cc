#include "module/series_home.h"

namespace celadon::module {

SeriesHome& series_home() noexcept {
  static SeriesHome home;
  return home;
}

metrics::SeriesWriter& SeriesHome::writer() noexcept {
  if (!writer_) make_own();
  return *writer_;
}

void SeriesHome::make_own() noexcept {
  own_memory_ = SharedMemory::make(kOwnBytes);
  own_memory_.make_private();
  const metrics::SeriesList list(static_cast<std::byte*>(own_memory_.get()), kOwnBytes);
  own_ = std::make_unique<metrics::SeriesWriter>(list, kOwnSeries);
  writer_ = own_.get();
}

void SeriesHome::move_to_master(metrics::Slab& slab) noexcept {
  if (own_) slab.gone_series().adopt(own_->list());
  own_.reset();
  own_memory_ = {};
  writer_ = &slab.gone_series();
  slab_ = &slab;
  ++epoch_;
}

void SeriesHome::leave_master() noexcept {
  const metrics::SeriesList sums = writer_->list();
  make_own();
  own_->adopt(sums);
  slab_ = nullptr;
  ++epoch_;
}

void SeriesHome::move_to_worker(metrics::Slab& slab, std::size_t slot) noexcept {
  own_ = std::make_unique<metrics::SeriesWriter>(slab.series(slot), slab.room().series);
  own_memory_ = {};
  writer_ = own_.get();
  slab_ = &slab;
  ++epoch_;
}

}  // namespace celadon::module
