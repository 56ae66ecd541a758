#include "base/repeats.h"

#include <utility>

namespace celadon {

bool Repeats::is_news(std::string_view place, Nanos size, Nanos now) {
  if (told_at_ == 0) return true;
  if (now - began_ >= kForget) {
    known_.clear();
    largest_.store(0, std::memory_order_relaxed);
    pause_ = kLeast;
    began_ = now;
  }
  if (now - told_at_ < kLeast) return false;
  if (size >= 2 * largest_.load(std::memory_order_relaxed)) return true;
  return now - told_at_ >= pause_ && !known_.contains(std::string(place));
}

void Repeats::told(std::string_view place, Nanos size, Nanos now) {
  const bool is_larger = size >= 2 * largest_.load(std::memory_order_relaxed);
  if (told_at_ == 0) began_ = summed_at_ = now;
  if (!is_larger) pause_ = std::min(2 * pause_, kMost);
  if (known_.size() >= kPlaces) known_.clear();
  known_.emplace(place);
  told_at_ = now;
  grew(size);
}

void Repeats::grew(Nanos size) noexcept {
  Nanos before = largest_.load(std::memory_order_relaxed);
  while (before < size &&
         !largest_.compare_exchange_weak(before, size, std::memory_order_relaxed)) {
  }
}

void Repeats::passed_over(std::string_view place, Nanos size) {
  ++rest_.count;
  if (size < rest_.largest) return;
  rest_.largest = size;
  rest_.place = place;
}

std::optional<Repeats::Rest> Repeats::rest(Nanos now) {
  if (rest_.count == 0 || now - summed_at_ < kMost) return std::nullopt;
  summed_at_ = now;
  return std::exchange(rest_, {});
}

}  // namespace celadon
