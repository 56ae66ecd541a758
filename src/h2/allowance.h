// What a peer may do so often: by time, or for something that was done.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/clock.h"

namespace celadon::h2 {

// Tokens that come back with time. Full at first.
class TokenBucket {
 public:
  TokenBucket(std::uint32_t burst, std::uint32_t per_second) noexcept
      : cost_(kSecond / std::max<std::uint32_t>(per_second, 1)),
        most_(cost_ * burst),
        level_(most_) {}

  // False: there is none left.
  [[nodiscard]] bool take(Nanos now) noexcept {
    level_ = std::min(most_, level_ + std::max<Nanos>(now - at_, 0));
    at_ = now;
    if (level_ < cost_) return false;
    level_ -= cost_;
    return true;
  }

 private:
  Nanos cost_;  // of one token, in the time that brings it back
  Nanos most_;
  Nanos level_;
  Nanos at_ = 0;
};

// Turns that are earned.
class Credit {
 public:
  Credit(std::uint32_t first, std::uint32_t most) noexcept
      : level_(first), most_(most) {}

  void earn(std::uint32_t turns) noexcept {
    level_ = static_cast<std::uint32_t>(
        std::min<std::uint64_t>(most_, std::uint64_t{level_} + turns));
  }
  // False: there is none left.
  [[nodiscard]] bool take() noexcept {
    if (level_ == 0) return false;
    --level_;
    return true;
  }

 private:
  std::uint32_t level_;
  std::uint32_t most_;
};

}  // namespace celadon::h2
