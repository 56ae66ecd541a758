// Hierarchical timing wheel: arming and cancelling are O(1), ticks are 0.25 ms.
//
//   level 0: 64 slots of 0.25 ms     level 1: 64 slots of 16 ms     ...   level 7
//
// A timer sits on the level of the highest 6-bit digit in which its tick differs from
// the wheel's own; when the wheel reaches that slot the timer moves down. One 64-bit
// map per level names the slots in use, so the next expiry is found without a walk.
// Timers never fire early: deadlines are rounded up to a tick.
#pragma once

#include <array>
#include <cstdint>

#include "base/clock.h"
#include "base/histogram.h"
#include "base/intrusive_list.h"

namespace celadon::loop {

class Timer : public ListHook<Timer> {
 public:
  Timer() noexcept = default;
  virtual ~Timer() { cancel(); }

  [[nodiscard]] bool armed() const noexcept { return linked(); }
  // When it fires, in monotonic nanoseconds; meaningful while armed.
  [[nodiscard]] Nanos deadline() const noexcept { return deadline_; }
  void cancel() noexcept { unlink(); }

 protected:
  virtual void on_timer() noexcept = 0;

 private:
  friend class Timers;
  Nanos deadline_ = 0;
};

class Timers {
 public:
  explicit Timers(Nanos now) noexcept : tick_(floor_tick(now)) {}

  // Arms, or arms again, for `deadline`.
  void arm(Timer& timer, Nanos deadline) noexcept;
  // The time is `now`, which is `by` later than it was a moment ago by another clock.
  void move_to(Nanos now, Nanos by) noexcept;
  // Fires everything due at `now`. Returns how many fired.
  int advance(Nanos now) noexcept;
  // Where it notes how late they fire; null: nowhere.
  void set_lag(Histogram<kLagBounds>* lag) noexcept { lag_ = lag; }
  // Nanoseconds from `now` until the wheel has to be looked at; kNever when empty. For
  // timers beyond the first level this may be earlier than their deadline.
  [[nodiscard]] Nanos next_in(Nanos now) noexcept;

 private:
  static constexpr Nanos kTick = kMillisecond / 4;
  static constexpr int kBits = 6;
  static constexpr int kSlots = 1 << kBits;
  static constexpr int kLevels = 8;
  using Slot = IntrusiveList<Timer>;

  static std::int64_t floor_tick(Nanos at) noexcept { return at / kTick; }
  static std::int64_t ceil_tick(Nanos at) noexcept;
  void place(Timer& timer) noexcept;
  // The next tick at which a slot of any level begins; -1 when all are empty.
  [[nodiscard]] std::int64_t next_tick() noexcept;
  [[nodiscard]] std::int64_t next_on_level(int level) noexcept;
  int run_tick(Nanos now) noexcept;

  std::array<std::array<Slot, kSlots>, kLevels> slots_;
  std::array<std::uint64_t, kLevels> used_{};
  std::int64_t tick_;
  Histogram<kLagBounds>* lag_ = nullptr;
};

}  // namespace celadon::loop
