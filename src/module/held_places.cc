#include "module/held_places.h"

#include <algorithm>

namespace celadon::module {
namespace {

constexpr double to_seconds(Nanos nanos) noexcept {
  return static_cast<double>(nanos) / kSecond;
}

}  // namespace

// The first stack that was seen there stands for all.
void HeldPlaces::on_held(std::string_view place, std::string_view stack,
                         Nanos held) noexcept {
  last_ = writer_.find_first(place, stack.substr(0, kLongestStack),
                             metrics::Merge::Place, metrics::kPlaceCells);
  if (last_.empty()) return;
  SystemClock clock;
  last_[0] += 1;
  last_[1] += to_seconds(held);
  last_[2] = std::max(last_[2], to_seconds(held));
  last_[3] = to_seconds(clock.wall());
}

void HeldPlaces::on_released(Nanos before, Nanos length) noexcept {
  if (last_.empty()) return;
  last_[1] += to_seconds(length - before);
  last_[2] = std::max(last_[2], to_seconds(length));
}

}  // namespace celadon::module
