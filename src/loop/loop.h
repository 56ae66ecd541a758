// One round: settle what the work so far left behind, then wait for more work.
//
//   settle() ─► turn-end hooks ─► destroy what closed
//   turn(max_wait) ─► poll ─► events ─► again ─► posted ─► timers
//
// Between the two the owner looks whether there is work, and so how long to wait: hooks
// may make some.
//
// One thread owns a loop; post() is its only entry from others. Callbacks are noexcept
// and mark work as ready; they never run user code. Knows nothing of sockets' meaning
// and nothing of Python.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

#include "base/clock.h"
#include "base/histogram.h"
#include "base/intrusive_list.h"
#include "loop/block_hook.h"
#include "loop/custody.h"
#include "loop/keeper.h"
#include "loop/poller.h"
#include "loop/timers.h"
#include "loop/waker.h"

namespace celadon::loop {

// Work posted from another thread. The loop takes it over.
class Task {
 public:
  virtual ~Task() = default;
  virtual void run() noexcept = 0;
};

// Called once at the end of each turn.
class TurnHook : public ListHook<TurnHook> {
 public:
  virtual ~TurnHook() = default;
  virtual void on_turn_end() noexcept = 0;
};

// Told in the next turn, which waits for nothing then: who has more to do than one turn
// gives him, or has what the poller knows nothing of.
class Again : public ListHook<Again> {
 public:
  virtual ~Again() = default;
  virtual void on_again() noexcept = 0;
};

// Anything that is destroyed at the end of the turn in which it closed.
class Disposable {
 public:
  virtual ~Disposable() = default;
};

// Hears of every descriptor that C++ starts to watch: one that Python owned may have
// had the number before, and waits for it must end.
class FdClaims {
 public:
  virtual ~FdClaims() = default;
  virtual void on_fd_claimed(int fd) noexcept = 0;
};

// Where the time of a loop goes; the rest is its owner's work.
struct Counters {
  std::uint64_t turns = 0;
  std::uint64_t poll = 0;     // nanoseconds
  std::uint64_t io = 0;       // callbacks of descriptors, posted calls
  std::uint64_t timers = 0;   // callbacks of timers
  std::uint64_t work = 0;     // between two polls
  Histogram<kLagBounds> lag;  // how late timers were
};

class Loop {
 public:
  Loop(std::unique_ptr<Poller> poller, Clock& clock) noexcept;
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  // Ends the work of a turn: runs the hooks, destroys what was disposed of.
  void settle() noexcept;
  // Waits at most `max_wait` for events and dispatches them.
  void turn(Nanos max_wait) noexcept;

  // When the clock was read last; cheap. Whatever may take long reads it when it ends,
  // by `fresh_now`: for what comes next that is the start.
  [[nodiscard]] Nanos now() const noexcept { return now_; }
  Nanos fresh_now() noexcept { return now_ = clock_->now(); }
  [[nodiscard]] Clock& clock() noexcept { return *clock_; }
  // Timers keep what is left of their time.
  void set_clock(Clock& clock) noexcept;

  // Watches a descriptor that C++ owns; others go to the poller directly.
  [[nodiscard]] std::expected<void, Error> watch(int fd, std::uint8_t interest,
                                                 IoHandler& handler) noexcept {
    if (claims_) claims_->on_fd_claimed(fd);
    return poller_->add(fd, interest, handler);
  }
  void set_fd_claims(FdClaims* claims) noexcept { claims_ = claims; }
  [[nodiscard]] Poller& poller() noexcept { return *poller_; }
  void arm(Timer& timer, Nanos deadline) noexcept { timers_.arm(timer, deadline); }
  // In how many nanoseconds timers have to be looked at; kNever: there is none.
  [[nodiscard]] Nanos next_timer() noexcept { return timers_.next_in(now_); }
  [[nodiscard]] bool has_timers() noexcept { return next_timer() != kNever; }
  // Fires those that are due, apart from a turn; how many.
  int run_timers() noexcept { return timers_.advance(fresh_now()); }

  void post(std::unique_ptr<Task> task) noexcept;  // any thread
  [[nodiscard]] bool has_posted() const noexcept { return has_posted_; }
  void wake() const noexcept { waker_.wake(); }  // any thread, signal handlers
  [[nodiscard]] int wake_fd() const noexcept { return waker_.fd(); }

  // Once, however often it is asked for until then.
  void tell_again(Again& who) noexcept {
    if (!who.linked()) again_.push_back(who);
  }
  void add_hook(TurnHook& hook) noexcept { hooks_.push_back(hook); }
  void add_keeper(Keeper& keeper) noexcept { keepers_.push_back(keeper); }
  // A burst is over: all that keepers keep is given back.
  void give_memory_back() noexcept;
  void dispose(std::unique_ptr<Disposable> item) noexcept;
  void set_block_hook(BlockHook* hook) noexcept { block_hook_ = hook; }

  // While a slice runs: what is registered here is left alone but for the slice's own.
  [[nodiscard]] Custody& custody() noexcept { return custody_; }

  // After a fork, in the parent: a child may hold copies of our descriptors, so a close
  // alone no longer ends a connection.
  void note_fork() noexcept { forked_ = true; }
  [[nodiscard]] bool forked() const noexcept { return forked_; }
  // After a fork, in the child: lets go of the parent's poller and waker.
  void abandon() noexcept;

  // True while the thread sleeps in poll: for the watchdog.
  [[nodiscard]] bool waiting() const noexcept {
    return waiting_.load(std::memory_order_relaxed);
  }
  [[nodiscard]] const Counters& counters() const noexcept { return *counters_; }
  // Memory that others may read; until keep_counters().
  void set_counters(Counters& counters) noexcept;
  void keep_counters() noexcept;
  // How long what the last poll found may have waited for it.
  [[nodiscard]] Nanos late() const noexcept { return late_; }

 private:
  class Upkeep final : public Timer {
   public:
    explicit Upkeep(Loop& loop) noexcept : loop_(loop) {}

   private:
    void on_timer() noexcept override { loop_.give_back_unused(); }
    Loop& loop_;
  };
  static constexpr Nanos kKept = 10 * kSecond;  // what nobody had a use for

  void wait_for_events(Nanos timeout) noexcept;
  void give_back_unused() noexcept;
  [[nodiscard]] bool keeps_memory() const noexcept;
  [[nodiscard]] static bool tell(IntrusiveList<Again>& again) noexcept;
  [[nodiscard]] bool run_posted() noexcept;
  void run_hooks() noexcept;

  Clock* clock_;
  std::unique_ptr<Poller> poller_;
  Waker waker_;
  Custody custody_;
  Nanos now_;
  Timers timers_;
  BlockHook* block_hook_ = nullptr;
  FdClaims* claims_ = nullptr;
  IntrusiveList<TurnHook> hooks_;
  IntrusiveList<Again> again_;
  IntrusiveList<Keeper> keepers_;
  Upkeep upkeep_{*this};
  std::vector<std::unique_ptr<Disposable>> disposed_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Task>> posted_;  // guarded by mutex_
  std::atomic<bool> has_posted_{false};
  std::atomic<bool> waiting_{false};
  Counters own_counters_;
  Counters* counters_ = &own_counters_;
  Nanos polled_;  // when the last poll ended
  Nanos late_ = 0;
  bool forked_ = false;
};

}  // namespace celadon::loop
