// Who may touch what belongs to a loop while one of its slices runs.
//
//   loop's thread    in ──leave──► user code, for however long ──enter──► in
//   another thread                     take ► ... ► give back
//
// The loop's thread leaves what it has before it runs code that is not its own, and
// enters it again behind. In between another thread may take it, for a moment: where
// the loop's comes back meanwhile it waits for that. So what a slice that takes long
// has left behind can be seen to, and never by two at a time.
//
// To leave and to enter costs two plain stores and a load: whoever takes it makes the
// other thread's writes and reads keep their order (membarrier(2)).
#pragma once

#include <atomic>

#include "base/clock.h"

namespace celadon::loop {

class Custody {
 public:
  // Whether the kernel can do that, which this process asks it for from now on.
  [[nodiscard]] static bool prepare() noexcept;

  // --- the loop's thread ---

  void leave(Nanos now) noexcept { left_.store(now, std::memory_order_release); }
  // Returns since when it was left; 0: it was not.
  Nanos enter() noexcept {
    const Nanos since = left_.load(std::memory_order_relaxed);
    left_.store(0, std::memory_order_relaxed);
    std::atomic_signal_fence(std::memory_order_seq_cst);
    if (taken_.load(std::memory_order_acquire)) [[unlikely]]
      wait();
    return since;
  }
  // It is in while this lives, within user code too.
  class Inside {
   public:
    explicit Inside(Custody& custody) noexcept
        : custody_(custody), since_(custody.enter()) {}
    ~Inside() {
      if (since_ != 0) custody_.leave(since_);
    }
    Inside(const Inside&) = delete;
    Inside& operator=(const Inside&) = delete;

   private:
    Custody& custody_;
    const Nanos since_;
  };

  // --- another thread, one at a time ---

  // Since when the loop's thread is elsewhere; 0: it is in, or waits to be.
  [[nodiscard]] Nanos left_since() const noexcept {
    return left_.load(std::memory_order_acquire);
  }
  // False: the loop's thread is in, or another one has it.
  [[nodiscard]] bool try_take() noexcept;
  void give_back() noexcept;

 private:
  void wait() const noexcept;

  std::atomic<Nanos> left_{0};
  std::atomic<bool> taken_{false};
};

}  // namespace celadon::loop
