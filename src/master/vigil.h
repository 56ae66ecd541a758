// Who is silent: a worker whose loop has not turned for `timeout`. Decides from what
// the slab and the kernel say; no system call, no clock.
#pragma once

#include <algorithm>

#include "base/clock.h"

namespace celadon::master {

class Vigil {
 public:
  // 0: nobody is ever taken for silent.
  explicit Vigil(Nanos timeout) noexcept : timeout_(timeout) {}
  void set_timeout(Nanos timeout) noexcept { timeout_ = timeout; }

  // When the next look is due.
  [[nodiscard]] Nanos due() const noexcept { return next_; }

  // Begins a look. Where the last one was long ago this process itself did not run (a
  // suspended machine, a debugger): all begin a fresh period then.
  void begin(Nanos now) noexcept {
    if (now - next_ > kMissed) fresh_since_ = now;
    next_ = now + period();
  }

  // For how long a worker is silent; 0: it is not. `slice` is when the slice began that
  // holds its loop, `stopped` when the process was stopped, each 0 for never.
  [[nodiscard]] Nanos silent_for(Nanos slice, Nanos stopped, Nanos now) const noexcept {
    Nanos since = slice == 0 ? stopped : slice;
    if (stopped != 0) since = std::min(since, stopped);
    if (since == 0 || timeout_ <= 0) return 0;
    const Nanos silent = now - std::max(since, fresh_since_);
    return silent >= timeout_ ? silent : 0;
  }

 private:
  static constexpr Nanos kMissed = 5 * kSecond;
  [[nodiscard]] Nanos period() const noexcept {
    if (timeout_ <= 0) return kSecond;
    return std::clamp(timeout_ / 8, 20 * kMillisecond, kSecond);
  }

  Nanos timeout_;
  Nanos next_ = 0;
  Nanos fresh_since_ = 0;
};

}  // namespace celadon::master
