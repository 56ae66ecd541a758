#include "metrics/slab.h"

#include <ctime>
#include <utility>

namespace celadon::metrics {

namespace {

constexpr std::size_t kPage = 4096;

constexpr std::size_t to_page(std::size_t bytes) noexcept {
  return (bytes + kPage - 1) / kPage * kPage;
}
constexpr std::size_t rows_size(std::size_t slots) noexcept {
  return to_page(sizeof(Summary) + slots * sizeof(Slot));
}

}  // namespace

std::unique_ptr<Slab> Slab::make(std::size_t slots) noexcept {
  return make(slots, Room{});
}

// Lists begin at pages of their own: those that nobody writes to take no memory.
std::unique_ptr<Slab> Slab::make(std::size_t slots, Room room) noexcept {
  room.bytes = to_page(room.bytes);
  auto memory =
      SharedMemory::make(rows_size(slots) + (slots + 1) * (room.bytes + kBesideSeries));
  if (!memory) return nullptr;
  return std::unique_ptr<Slab>(new Slab(std::move(memory), slots, room));
}

// Fresh pages are zeros, which is what every cell begins with: nothing is touched.
Slab::Slab(SharedMemory memory, std::size_t slots, Room room) noexcept
    : memory_(std::move(memory)),
      room_(room),
      summary_(static_cast<Summary*>(memory_.get())),
      slots_(reinterpret_cast<Slot*>(static_cast<std::byte*>(memory_.get()) +
                                     sizeof(Summary))),
      count_(slots) {}

// The master may have no processor just now.
void Slab::pause() noexcept {
  constexpr timespec kPause{0, kMillisecond};
  ::nanosleep(&kPause, nullptr);
}

std::byte* Slab::lists(std::size_t slot) const noexcept {
  return static_cast<std::byte*>(memory_.get()) + rows_size(count_) +
         slot * (room_.bytes + kBesideSeries);
}

SeriesList Slab::series(std::size_t slot) const noexcept {
  return {lists(slot), room_.bytes};
}

SeriesList Slab::places(std::size_t slot) const noexcept {
  return {lists(slot) + room_.bytes, kPlaceBytes};
}

TextRing Slab::slow(std::size_t slot) const noexcept {
  return TextRing(lists(slot) + room_.bytes + kPlaceBytes);
}

void Slab::lease(std::size_t at, Nanos now) noexcept {
  Slot& slot = slots_[at];
  slot.pid.store(0, std::memory_order_relaxed);
  slot.pulse.store(0, std::memory_order_relaxed);
  slot.fit_until.store(0, std::memory_order_relaxed);
  slot.leased_at.store(now, std::memory_order_relaxed);
  slot.last_words.set({});
  slot.under_way.clear();
  slot.lease.fetch_add(1, std::memory_order_relaxed);
  slot.state.store(SlotState::Booting, std::memory_order_release);
}

void Slab::take_back(std::size_t at) noexcept {
  Slot& slot = slots_[at];
  slot.state.store(SlotState::Free, std::memory_order_release);
  slot.pid.store(0, std::memory_order_relaxed);
  slot.pulse.store(0, std::memory_order_relaxed);
  if (!gone_places_) {
    gone_places_ = std::make_unique<SeriesWriter>(base_places(), kPlaces);
  }
  summary_->folding.fetch_add(1, std::memory_order_acq_rel);
  for (std::size_t i = 0; i < kCounters; ++i) {
    summary_->base[i] += slot.counters[i];
    slot.counters[i] = 0;
  }
  slot.gauges.fill(0);
  fold(series(at), gone_series());
  fold(places(at), *gone_places_);
  summary_->folding.fetch_add(1, std::memory_order_acq_rel);
}

SeriesWriter& Slab::gone_series() noexcept {
  if (!gone_series_) {
    gone_series_ = std::make_unique<SeriesWriter>(base_series(), room_.series);
  }
  return *gone_series_;
}

void Slab::fold(SeriesList list, SeriesWriter& gone) noexcept {
  if (list.is_empty()) return;  // do not touch its pages
  gone.take_over(list);
  list.clear();
}

std::uint64_t Slab::total(std::size_t counter) const noexcept {
  std::uint64_t sum = read_cell(summary_->base[counter]);
  for (const Slot& slot : slots()) sum += read_cell(slot.counters[counter]);
  return sum;
}

}  // namespace celadon::metrics
