#include "loop/timers.h"

#include <bit>

namespace celadon::loop {

std::int64_t Timers::ceil_tick(Nanos at) noexcept {
  return at > kNever - kTick ? kNever / kTick : (at + kTick - 1) / kTick;
}

void Timers::arm(Timer& timer, Nanos deadline) noexcept {
  timer.cancel();
  timer.deadline_ = deadline;
  place(timer);
}

void Timers::place(Timer& timer) noexcept {
  std::int64_t due = ceil_tick(timer.deadline_);
  if (due <= tick_) due = tick_ + 1;  // the current tick has been run already
  const auto differs = static_cast<std::uint64_t>(due ^ tick_);
  int level = (63 - std::countl_zero(differs)) / kBits;
  if (level >= kLevels) {
    // Beyond the span (2,200 years): wait in the farthest slot and be placed again.
    level = kLevels - 1;
    due = tick_ + (std::int64_t{kSlots - 1} << (kBits * level));
  }
  const auto slot = static_cast<std::size_t>((due >> (kBits * level)) & (kSlots - 1));
  slots_[static_cast<std::size_t>(level)][slot].push_back(timer);
  used_[static_cast<std::size_t>(level)] |= std::uint64_t{1} << slot;
}

std::int64_t Timers::next_on_level(int level) noexcept {
  auto& used = used_[static_cast<std::size_t>(level)];
  const int shift = kBits * level;
  const int here = static_cast<int>((tick_ >> shift) & (kSlots - 1));
  while (used) {
    // Slots after `here` in this turn of the level, then those of the next turn.
    const std::uint64_t rotated = std::rotr(used, here + 1);
    const int ahead = std::countr_zero(rotated) + 1;
    const auto slot = static_cast<std::size_t>((here + ahead) & (kSlots - 1));
    if (!slots_[static_cast<std::size_t>(level)][slot].empty()) {
      return ((tick_ >> shift) + ahead) << shift;
    }
    used &= ~(std::uint64_t{1} << slot);  // its timers were cancelled
  }
  return -1;
}

std::int64_t Timers::next_tick() noexcept {
  std::int64_t best = -1;
  for (int level = 0; level < kLevels; ++level) {
    const std::int64_t at = next_on_level(level);
    if (at >= 0 && (best < 0 || at < best)) best = at;
  }
  return best;
}

void Timers::move_to(Nanos now, Nanos by) noexcept {
  Slot all;
  for (auto& level : slots_) {
    for (Slot& slot : level) all.splice_back(slot);
  }
  used_.fill(0);
  tick_ = floor_tick(now);
  while (Timer* timer = all.pop_front()) {
    if (timer->deadline_ != kNever) timer->deadline_ += by;
    place(*timer);
  }
}

Nanos Timers::next_in(Nanos now) noexcept {
  const std::int64_t tick = next_tick();
  if (tick < 0) return kNever;
  const Nanos at = tick * kTick;
  return at > now ? at - now : 0;
}

int Timers::run_tick(Nanos now) noexcept {
  int fired = 0;
  for (int level = kLevels - 1; level >= 0; --level) {
    const int shift = kBits * level;
    if (tick_ & ((std::int64_t{1} << shift) - 1))
      continue;  // not a border of this level
    const auto slot = static_cast<std::size_t>((tick_ >> shift) & (kSlots - 1));
    const auto row = static_cast<std::size_t>(level);
    if (!(used_[row] >> slot & 1)) continue;
    used_[row] &= ~(std::uint64_t{1} << slot);
    Slot due;
    due.splice_back(slots_[row][slot]);
    while (Timer* timer = due.pop_front()) {
      if (ceil_tick(timer->deadline_) > tick_) {
        place(*timer);
      } else {
        ++fired;
        if (lag_) lag_->observe(static_cast<std::uint64_t>(now - timer->deadline_));
        timer->on_timer();
      }
    }
  }
  return fired;
}

int Timers::advance(Nanos now) noexcept {
  const std::int64_t target = floor_tick(now);
  int fired = 0;
  while (tick_ < target) {
    const std::int64_t next = next_tick();
    if (next < 0 || next > target) {
      tick_ = target;
      break;
    }
    tick_ = next;
    fired += run_tick(now);
  }
  return fired;
}

}  // namespace celadon::loop
