// Streams that have ended of late. Whoever sends on one that the peer has ended is
// wrong for certain (RFC 9113 5.1, closed); of one that we have reset frames may be on
// their way; and one that is neither was never begun (5.1.1).
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>

#include "h2/frame.h"

namespace celadon::h2 {

class RecentStreams {
 public:
  void add(StreamId id) noexcept {
    ids_[next_] = id;
    next_ = (next_ + 1) % kKept;
  }
  [[nodiscard]] bool has(StreamId id) const noexcept {
    return id != 0 && std::ranges::find(ids_, id) != ids_.end();
  }

 private:
  static constexpr std::size_t kKept = 64;
  std::array<StreamId, kKept> ids_{};
  std::size_t next_ = 0;
};

}  // namespace celadon::h2
