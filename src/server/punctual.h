// What a turn holds back for its end leaves soon all the same: while a slice holds the
// loop, a native thread sends it. It sleeps where nothing has been held back of late.
#pragma once

#include <atomic>
#include <condition_variable>
#include <expected>
#include <mutex>

#include "base/clock.h"
#include "loop/thread.h"

namespace celadon::server {

class Server;

class Punctual {
 public:
  // The most that is held back while slices come back to the loop, and while one does
  // not. To look for the second costs a switch of threads each time.
  static constexpr Nanos kTurn = kMillisecond;
  static constexpr Nanos kHold = 5 * kMillisecond;

  explicit Punctual(Server& server) noexcept : server_(server) {}
  ~Punctual();
  Punctual(const Punctual&) = delete;
  Punctual& operator=(const Punctual&) = delete;

  // Without it what is held back leaves when the loop turns.
  [[nodiscard]] std::expected<void, Error> start() noexcept;

  // --- the loop's thread ---

  // The first is held back. Cheap unless the thread sleeps.
  void begin(Nanos now) noexcept {
    since_.store(now, std::memory_order_seq_cst);
    if (asleep_.load(std::memory_order_seq_cst)) wake_up();
  }
  // Nothing is, any more.
  void end() noexcept { since_.store(0, std::memory_order_relaxed); }
  // Whether the slices of this turn have taken so long that the loop sends it between
  // two.
  [[nodiscard]] bool is_over(Nanos now) const noexcept {
    return now - since_.load(std::memory_order_relaxed) > kTurn;
  }
  // After a fork, in the child: the thread is the parent's.
  void abandon() noexcept;

 private:
  void run() noexcept;
  // Until it is time to look again. False: it is time to stop.
  [[nodiscard]] bool wait() noexcept;
  [[nodiscard]] Nanos now() const noexcept;
  [[nodiscard]] Nanos until_next_look() const noexcept;
  void look() noexcept;
  void wake_up() noexcept;

  static constexpr int kIdleLooks = 20;                // then it sleeps
  static constexpr Nanos kRetry = 100 * kMicrosecond;  // the loop's thread was in

  Server& server_;
  std::atomic<Nanos> since_{0};  // when the first was held back; 0: nothing is
  std::atomic<bool> asleep_{false};
  Nanos sent_of_ = 0;  // of its own: what was held back since then it has sent
  int idle_looks_ = 0;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;  // guarded by mutex_
  loop::Thread thread_;
};

}  // namespace celadon::server
