// When bytes were where.
#pragma once

#include <algorithm>
#include <deque>
#include <iterator>

#include "sim/kernel.h"

namespace celadon::sim {

// When the first `bytes` of what the client sent had arrived; kNever: not yet.
inline Nanos arrival(const Link& link, std::uint64_t bytes) {
  const auto at = std::ranges::lower_bound(link.arrivals, bytes, {}, &Moment::bytes);
  return at == link.arrivals.end() ? kNever : at->at;
}

inline std::uint64_t bytes_at(const std::deque<Moment>& moments, Nanos at) {
  const auto after = std::ranges::upper_bound(moments, at, {}, &Moment::at);
  return after == moments.begin() ? 0 : std::prev(after)->bytes;
}

}  // namespace celadon::sim
