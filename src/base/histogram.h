// Counts of observations by size, as plain cells that may lie in shared memory.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "base/clock.h"

namespace celadon {

// Upper bounds, in the unit of what is observed.
inline constexpr std::array<std::uint64_t, 14> kDurationBounds{
    5 * kMillisecond,    10 * kMillisecond,  25 * kMillisecond,   50 * kMillisecond,
    75 * kMillisecond,   100 * kMillisecond, 250 * kMillisecond,  500 * kMillisecond,
    750 * kMillisecond,  1 * kSecond,        2500 * kMillisecond, 5 * kSecond,
    7500 * kMillisecond, 10 * kSecond};
inline constexpr std::array<std::uint64_t, 13> kLagBounds{
    1 * kMillisecond,   2500 * kMicrosecond, 5 * kMillisecond,    10 * kMillisecond,
    25 * kMillisecond,  50 * kMillisecond,   100 * kMillisecond,  250 * kMillisecond,
    500 * kMillisecond, 1 * kSecond,         2500 * kMillisecond, 5 * kSecond,
    10 * kSecond};
inline constexpr std::array<std::uint64_t, 10> kSizeBounds{
    256,     1'024,     4'096,     16'384,     65'536,
    262'144, 1'048'576, 4'194'304, 16'777'216, 67'108'864};

// One cell for each bound, one for what is above them all, and the sum.
template <const auto& kBounds>
struct Histogram {
  static constexpr std::size_t kBuckets = kBounds.size() + 1;
  std::array<std::uint64_t, kBuckets> counts{};
  std::uint64_t sum = 0;

  void observe(std::uint64_t value) noexcept {
    sum += value;
    // Most are below the first.
    if (value <= kBounds.front()) {
      ++counts.front();
      return;
    }
    const auto at = std::ranges::lower_bound(kBounds, value);
    ++counts[static_cast<std::size_t>(at - kBounds.begin())];
  }
};

}  // namespace celadon
