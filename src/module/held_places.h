// What held the loop of this worker, by its place, in the slab.
#pragma once

#include "green/held.h"
#include "metrics/series.h"

namespace celadon::module {

class HeldPlaces final : public green::HeldSink {
 public:
  explicit HeldPlaces(metrics::SeriesList list) noexcept : writer_(list, kMost) {}

  void on_held(std::string_view place, std::string_view stack,
               Nanos held) noexcept override;
  void on_released(Nanos before, Nanos length) noexcept override;

 private:
  static constexpr std::size_t kMost = 500;
  static constexpr std::size_t kLongestStack = 4096;

  metrics::SeriesWriter writer_;
  std::span<double> last_;
};

}  // namespace celadon::module
