// A semaphore whose waits end at a point of the monotonic clock, which glibc's do since
// 2.30; wheels are made for older ones. And one whose waits are broken off by signals,
// which those of C++20 are not.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/clock.h"

namespace celadon {

class Semaphore {
 public:
  void post() noexcept;
  // 0 when it was posted, ETIMEDOUT when `deadline` is reached first, EINTR when a
  // signal was handled meanwhile. kNever is no deadline.
  [[nodiscard]] int wait(Nanos deadline) noexcept;

 private:
  [[nodiscard]] bool take() noexcept;
  std::atomic<std::uint32_t> count_{0};  // futex(2): 32 bits on every machine
};

}  // namespace celadon
