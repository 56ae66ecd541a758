// A native thread that looks at something again and again, and sleeps where there was
// nothing to see for a while, until it is told. So an idle process is not woken by it.
#pragma once

#include <atomic>
#include <condition_variable>
#include <expected>
#include <mutex>

#include "base/clock.h"
#include "loop/thread.h"

namespace celadon::loop {

class Lookout {
 public:
  // What it looks at; called by its thread.
  class Sight {
   public:
    virtual ~Sight() = default;
    // False: there was nothing.
    [[nodiscard]] virtual bool look() noexcept = 0;
    [[nodiscard]] virtual Nanos until_next_look() const noexcept = 0;
    // There is nothing now. What ends that is stored before it is told, and both sides
    // are of one order (seq_cst): either that is seen here, or that it sleeps there.
    [[nodiscard]] virtual bool is_empty() const noexcept = 0;
  };

  // `sight` outlives it.
  explicit Lookout(Sight& sight) noexcept : sight_(sight) {}
  ~Lookout();
  Lookout(const Lookout&) = delete;
  Lookout& operator=(const Lookout&) = delete;

  [[nodiscard]] std::expected<void, Error> start() noexcept;
  // There is something to see again. Any thread; cheap unless it sleeps.
  void tell() noexcept {
    if (asleep_.load(std::memory_order_seq_cst)) wake_up();
  }
  [[nodiscard]] bool asleep() const noexcept {
    return asleep_.load(std::memory_order_relaxed);
  }
  // After a fork, in the child: the thread is the parent's.
  void abandon() noexcept;

 private:
  void run() noexcept;
  // Until it is time to look again. False: it is time to stop.
  [[nodiscard]] bool wait() noexcept;
  void wake_up() noexcept;

  static constexpr int kEmptyLooks = 20;  // then it sleeps

  Sight& sight_;
  int empty_looks_ = 0;  // in a row; of its own
  std::atomic<bool> asleep_{false};
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;  // guarded by mutex_
  Thread thread_;
};

}  // namespace celadon::loop
