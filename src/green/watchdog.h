// A native thread that looks at how long one slice has held a hub's loop: it asks
// CPython to interrupt a slice that is over, and reports one that does not end.
#pragma once

#include <pthread.h>

#include <atomic>
#include <cstdint>
#include <string>

#include "base/clock.h"
#include "base/log.h"
#include "base/repeats.h"
#include "loop/lookout.h"

namespace celadon::green {

class Hub;

// Sees to what waits behind a slice that holds the loop.
class Relief {
 public:
  virtual ~Relief() = default;
  // By the watchdog's thread, which has the loop's custody meanwhile: does what can be
  // done at once. Returns how many connections went elsewhere.
  virtual std::size_t relieve() noexcept = 0;
};

struct WatchLimits {
  Nanos report = kNever;   // a slice so long is reported with the stack that holds it
  int report_signal = 0;   // faulthandler writes this thread's stack at it, to a pipe
  int report_pipe = -1;    // whose end this is; owned by who gives it
  Nanos alarm = kNever;    // a slice so long is reported with all stacks
  int alarm_signal = 0;    // faulthandler writes them at it, to the error log
  int log_fd = 2;          // of the error log
  bool log_later = false;  // warnings go to the hub's log instead, once it turns
  const std::atomic<Level>* least = nullptr;  // what is below it is not logged
  Nanos preempt = kNever;    // a slice that is preempted is at most about so long
  Nanos raise = kNever;      // LoopBlocked is raised in a slice so long
  int preempt_signal = 0;    // one whose Python handler is on_preempt, for both
  Nanos hand_over = kNever;  // a slice so long is relieved of what waits behind it
  Relief* relief = nullptr;  // by whom; outlives the watchdog

  [[nodiscard]] bool reports() const noexcept {
    return report != kNever && report_signal > 0;
  }
  [[nodiscard]] bool alarms() const noexcept {
    return alarm != kNever && alarm_signal > 0;
  }
  [[nodiscard]] bool preempts() const noexcept {
    return preempt != kNever && preempt_signal > 0;
  }
  [[nodiscard]] bool raises() const noexcept {
    return raise != kNever && preempt_signal > 0;
  }
  [[nodiscard]] bool hands_over() const noexcept {
    return hand_over != kNever && relief;
  }
  [[nodiscard]] bool any() const noexcept {
    return reports() || alarms() || preempts() || raises() || hands_over();
  }
  // How old a slice is that is preempted at a look: the next one may come too late.
  [[nodiscard]] Nanos preempt_at() const noexcept { return preempt - preempt / kLooks; }
  static constexpr int kLooks = 4;  // for each slice that is preempted
};

class Watchdog final : private loop::Lookout::Sight {
 public:
  // To watch the calling thread, whose loop `hub` runs.
  Watchdog(Hub& hub, const WatchLimits& limits);

  [[nodiscard]] std::expected<void, Error> start() noexcept;
  // The hub has work again.
  void on_work() noexcept { lookout_.tell(); }
  // By the thread that is watched, between two bytecodes: writes what was asked for.
  void write_stacks() noexcept;
  // By the thread that is watched: a slice that was reported is over, after so long.
  void on_released(Nanos length, std::string line) noexcept;
  // After a fork, in the child.
  void abandon() noexcept { lookout_.abandon(); }

 private:
  // loop::Lookout::Sight
  [[nodiscard]] bool look() noexcept override;
  [[nodiscard]] Nanos until_next_look() const noexcept override;
  [[nodiscard]] bool is_empty() const noexcept override;
  void look_at_slice(Nanos began) noexcept;
  // False: nothing was sent, the thread waits in the kernel.
  [[nodiscard]] bool interrupt() const noexcept;
  void ask_for_stacks(Nanos began, int signal) noexcept;
  void sample(Nanos began, Nanos held) noexcept;
  void report(Nanos began, Nanos held) noexcept;
  void sum_up(Nanos began) noexcept;
  void alarm(Nanos began, Nanos held) noexcept;
  void relieve() noexcept;
  [[nodiscard]] bool logs(Level level) const noexcept;
  void warn(std::string text) noexcept;

  static constexpr Nanos kReliefPeriod = kSecond;       // at the most one is told in it
  static constexpr Nanos kStackPatience = 3 * kSecond;  // then it goes without one
  static constexpr int kSafeLooks = 50;              // for a place between bytecodes,
  static constexpr Nanos kSafePause = kMillisecond;  // so long after one another

  Hub& hub_;
  const WatchLimits limits_;
  const Nanos period_;
  const pthread_t watched_;
  const pid_t watched_id_;
  Nanos asked_ = 0;      // start of the slice whose stack was asked for last,
  std::string came_;     // and what came of it
  Nanos wanted_of_ = 0;  // likewise, of the signal below
  // At which faulthandler writes what is asked for; 0: who took it writes, or has.
  std::atomic<int> wanted_{0};
  Nanos sampled_ = 0;      // likewise, whose stack was taken,
  std::string stack_;      // and that
  Nanos reported_ = 0;     // start of the slice that was reported last
  Nanos passed_over_ = 0;  // start of one that is no news, so far
  std::string passed_place_;
  Nanos passed_held_ = 0;
  Nanos alarmed_ = 0;  // likewise, with all stacks
  Repeats repeats_;
  Nanos relieved_ = 0;            // start of the slice that was relieved last
  Nanos relieved_at_ = 0;         // when that was told
  loop::Lookout lookout_{*this};  // the last: it uses all of these
};

}  // namespace celadon::green
