// When a greenlet that was preempted gets its next slice: once the others have had as
// long as its last one, or have nothing to do. Without it those who ask for little
// would get one answer each per slice of those who compute.
#pragma once

#include <utility>

#include "base/clock.h"

namespace celadon::green {

class Turns {
 public:
  // The others have done something.
  void on_work(Nanos now) noexcept {
    worked_ = true;
    worked_at_ = now;
  }
  // Whether it is the turn of one that was preempted.
  [[nodiscard]] bool is_due(Nanos now) const noexcept {
    return now >= until_ || !wait_ || now - worked_at_ >= kGrace;
  }
  // A slice of one that was preempted has ended; `length` is what a slice may last.
  void on_slice_end(Nanos now, Nanos length) noexcept {
    until_ = now + length;
    wait_ = std::exchange(worked_, false);
    worked_at_ = now;
  }

 private:
  // An answer, the peer's next request and its way here.
  static constexpr Nanos kGrace = 150 * kMicrosecond;

  Nanos until_ = 0;
  Nanos worked_at_ = 0;
  bool worked_ = false;  // since the last slice
  bool wait_ = false;    // others are about: worth a grace
};

}  // namespace celadon::green
