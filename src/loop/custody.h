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
// other thread's writes and reads keep their order (membarrier(2)). Where the kernel
// lacks that, or may not be asked for it, the loop's thread sees to its own.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/clock.h"

namespace celadon::loop {

class Custody {
 public:
  // Who keeps the order of what the loop's thread writes and reads.
  enum class Order : std::uint8_t { Kernel, Own };
  // The kernel where it can, which this process asks it for from now on.
  [[nodiscard]] static Order best_order() noexcept;

  // --- the loop's thread ---

  // Before another thread asks for it. Once more changes nothing.
  void share(Order order = best_order()) noexcept {
    order_.store(order, std::memory_order_relaxed);
  }
  void leave(Nanos now) noexcept { left_.store(now, std::memory_order_release); }
  // Returns since when it was left; 0: it was not.
  Nanos enter() noexcept {
    const Nanos since = left_.load(std::memory_order_relaxed);
    if (order_.load(std::memory_order_relaxed) == Order::Kernel) {
      left_.store(0, std::memory_order_relaxed);
      std::atomic_signal_fence(std::memory_order_seq_cst);
    } else {
      left_.store(0, std::memory_order_seq_cst);
    }
    if (taken_.load(std::memory_order_seq_cst)) [[unlikely]]
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
  std::atomic<Order> order_{Order::Kernel};
};

}  // namespace celadon::loop
