#include "green/watchdog.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <ctime>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "base/thread_id.h"
#include "base/unescaped.h"
#include "green/file_locks.h"
#include "green/hub.h"
#include "py/python.h"

namespace celadon::green {
namespace {

Nanos period_of(const WatchLimits& limits) noexcept {
  Nanos least = kSecond;
  if (limits.reports()) least = std::min(least, limits.report / 4);
  if (limits.alarms()) least = std::min(least, limits.alarm / 4);
  if (limits.hands_over()) least = std::min(least, limits.hand_over / 4);
  if (limits.raises()) least = std::min(least, limits.raise / 4);
  if (limits.preempts()) least = std::min(least, limits.preempt / WatchLimits::kLooks);
  return std::max(least, 100 * kMicrosecond);
}

#if PY_VERSION_HEX < 0x030D0000
// Without a handler the signal would end the process.
bool is_handled(int signo) noexcept {
  struct sigaction action{};
  return ::sigaction(signo, nullptr, &action) == 0 && action.sa_handler != SIG_DFL &&
         action.sa_handler != SIG_IGN;
}

// Whether the thread computes; what waits in the kernel is not to be disturbed.
bool is_on_cpu(pid_t thread) noexcept {
  const std::string path = "/proc/self/task/" + std::to_string(thread) + "/stat";
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return true;
  char text[128];
  // The analyzer takes the lock of wait(), given up by then, to be held.
  // NOLINTNEXTLINE(clang-analyzer-unix.BlockInCriticalSection)
  const ssize_t n = ::read(fd, text, sizeof text);
  ::close(fd);
  const std::string_view line(text, n < 0 ? 0 : static_cast<std::size_t>(n));
  const std::size_t name_end = line.rfind(')');
  return name_end == line.npos || line.substr(name_end).starts_with(") R");
}
#endif

constexpr int kStackWait = 200;  // milliseconds for a signal handler to begin
constexpr int kStackPause = 5;   // and between what it writes

// What faulthandler writes into a pipe, until it pauses.
std::string read_stack(int pipe, int wait) noexcept {
  std::string text;
  pollfd readable{pipe, POLLIN, 0};
  while (::poll(&readable, 1, wait) > 0) {
    char part[4096];
    const ssize_t n = ::read(pipe, part, sizeof part);
    if (n <= 0) break;
    text.append(part, static_cast<std::size_t>(n));
    wait = std::min(wait, kStackPause);
  }
  return text;
}

// It may be stopped between the title and what follows.
bool has_frame(std::string_view stack) noexcept {
  return stack.find("\n  ") != stack.npos;
}

// `app.py:12 in view`, of faulthandler's `  File "app.py", line 12 in view`.
std::string top_of(std::string_view stack) {
  constexpr std::string_view kFile = "  File \"";
  constexpr std::string_view kLine = "\", line ";
  const std::size_t begin = stack.find(kFile);
  if (begin == stack.npos) return "a place that is not known";
  std::string_view frame = stack.substr(begin + kFile.size());
  frame = frame.substr(0, frame.find('\n'));
  const std::size_t line = frame.find(kLine);
  if (line == frame.npos) return std::string(frame);
  return std::string(frame.substr(0, line)) + ":" +
         std::string(frame.substr(line + kLine.size()));
}

// As Python's logging begins a line.
std::string log_prefix(std::string_view level) {
  const std::time_t now = std::time(nullptr);
  std::tm local{};
  ::localtime_r(&now, &local);
  char text[64];
  const std::size_t n =
      std::strftime(text, sizeof text, "[%Y-%m-%d %H:%M:%S %z]", &local);
  return std::string(text, n) + " [" + std::to_string(::getpid()) + "] [" +
         std::string(level) + "] ";
}

void write_out(int fd, std::string_view text) noexcept {
  [[maybe_unused]] const auto n = ::write(fd, text.data(), text.size());
}

// A line for a log that only the loop's thread may write.
class Warning final : public loop::Task {
 public:
  Warning(Hub& hub, std::string text) noexcept : hub_(hub), text_(std::move(text)) {}
  void run() noexcept override {
    if (hub_.log()) hub_.log()->log(Level::Warning, text_);
  }

 private:
  Hub& hub_;
  std::string text_;
};

}  // namespace

Watchdog::Watchdog(Hub& hub, const WatchLimits& limits)
    : hub_(hub),
      limits_(limits),
      period_(period_of(limits)),
      watched_(::pthread_self()),
      watched_id_(thread_id()) {
  if (limits.hands_over()) hub.loop().custody().share();
}

std::expected<void, Error> Watchdog::start() noexcept {
  auto started = lookout_.start();
  if (!started) {
    warn("the watchdog is off: " + std::string(describe(started.error())));
  }
  return started;
}

// A period, or less where the slice that runs is to be reported before.
Nanos Watchdog::until_next_look() const noexcept {
  const Nanos began = hub_.slice_started();
  if (began == 0 || began == sampled_ || !limits_.reports()) return period_;
  const Nanos left = began + limits_.report - monotonic_now();
  return std::clamp(left, 100 * kMicrosecond, period_);
}

bool Watchdog::look() noexcept {
  if (limits_.hands_over()) relieve();
  look_at_slice(hub_.slice_started());
  return !hub_.resting();
}

bool Watchdog::is_empty() const noexcept {
  return hub_.resting();
}

void Watchdog::look_at_slice(Nanos began) noexcept {
  if (limits_.reports()) sum_up(began);
  if (began == 0) return;
  const Nanos held = monotonic_now() - began;
  if (limits_.reports() && held >= limits_.report) {
    if (began != sampled_) sample(began, held);
    if (began == sampled_ && began != reported_) report(began, held);
  }
  if (limits_.alarms() && held >= limits_.alarm && began != alarmed_) {
    alarmed_ = began;
    alarm(began, held);
  }
  // Again at each look: it may have come where nothing can be done.
  if ((limits_.preempts() && held >= limits_.preempt_at()) ||
      (limits_.raises() && held >= limits_.raise)) {
    [[maybe_unused]] const bool sent = interrupt();
  }
}

// Before 3.13 CPython looks for what was asked for from another thread only when
// something else stops its evaluation loop: there the signal has to be a real one.
bool Watchdog::interrupt() const noexcept {
  if (limits_.preempt_signal <= 0) return false;
#if PY_VERSION_HEX >= 0x030D0000
  PyErr_SetInterruptEx(limits_.preempt_signal);
  return true;
#else
  if (!is_on_cpu(watched_id_) || !is_handled(limits_.preempt_signal)) return false;
  return ::pthread_kill(watched_, limits_.preempt_signal) == 0;
#endif
}

// While a frame is made or ends, what a handler finds there may be gone. So the thread
// writes between two bytecodes; only one that does not come there, since it is in C, is
// stopped where it is.
void Watchdog::ask_for_stacks(Nanos began, int signal) noexcept {
  wanted_of_ = began;
  wanted_.store(signal, std::memory_order_release);
  if (interrupt()) {
    for (int i = 0; i < kSafeLooks && wanted_.load(std::memory_order_acquire); ++i)
      std::this_thread::sleep_for(std::chrono::nanoseconds(kSafePause));
  }
  if (wanted_.exchange(0, std::memory_order_acq_rel)) ::pthread_kill(watched_, signal);
}

void Watchdog::write_stacks() noexcept {
  const int signal = wanted_.exchange(0, std::memory_order_acq_rel);
  if (signal == 0 || hub_.slice_started() != wanted_of_) return;
  if (const Strand* strand = hub_.current()) hub_.held().set_seen(strand->describe());
  ::pthread_kill(watched_, signal);
}

// Each is written down once. A thread that has no processor just now, or is deaf to
// signals, does not write its stack at once: it is looked for again for a while.
void Watchdog::sample(Nanos began, Nanos held) noexcept {
  if (std::exchange(asked_, began) != began) {
    [[maybe_unused]] const std::string stale = read_stack(limits_.report_pipe, 0);
    came_.clear();
    ask_for_stacks(began, limits_.report_signal);
  }
  came_ += read_stack(limits_.report_pipe, kStackWait);
  if (!has_frame(came_) && held < limits_.report + kStackPatience) return;
  sampled_ = began;
  stack_ = unescaped(came_);
  hub_.held().sampled(began, held, top_of(stack_), stack_);
}

// What is new is logged.
void Watchdog::report(Nanos began, Nanos held) noexcept {
  const Nanos now = monotonic_now();
  const std::string place = top_of(stack_);
  if (!repeats_.is_news(place, held, now)) {
    passed_over_ = began;  // its turn may come while it lasts
    passed_place_ = place;
    passed_held_ = held;
    return;
  }
  passed_over_ = 0;
  reported_ = began;
  repeats_.told(place, held, now);
  if (!logs(Level::Warning)) return;
  std::string line =
      "the loop is held for " + std::to_string(held / kMillisecond) + " ms at " + place;
  if (const std::string who = hub_.held().holder(); !who.empty()) line += " by " + who;
  line += '\n' + stack_;
  line += describe_file_wait();
  hub_.held().set_logged();
  if (line.ends_with('\n')) line.pop_back();
  warn(std::move(line));
}

// Of what is not new, once a minute.
void Watchdog::sum_up(Nanos began) noexcept {
  if (passed_over_ != 0 && passed_over_ != began) {
    passed_over_ = 0;
    repeats_.passed_over(passed_place_, passed_held_);
  }
  const auto rest = repeats_.rest(monotonic_now());
  if (!rest) return;
  warn("the loop was held " + std::to_string(rest->count) +
       " more times since the last report, for " +
       std::to_string(rest->largest / kMillisecond) + " ms or more at " + rest->place);
}

// Also of a slice that is exempt from reports. Again at each look: more may have come
// to be idle, or others have room now.
void Watchdog::relieve() noexcept {
  loop::Custody& custody = hub_.loop().custody();
  const Nanos began = custody.left_since();
  const Nanos held = monotonic_now() - began;
  if (began == 0 || held < limits_.hand_over || !custody.try_take()) return;
  const std::size_t went =
      custody.left_since() == began ? limits_.relief->relieve() : 0;
  custody.give_back();
  if (went == 0 || std::exchange(relieved_, began) == began) return;
  const Nanos now = monotonic_now();
  if (now - relieved_at_ < kReliefPeriod) return;
  relieved_at_ = now;
  warn("the loop is held for " + std::to_string(held / kMillisecond) +
       " ms: " + std::to_string(went) + " idle connections go to other workers");
}

void Watchdog::alarm(Nanos began, Nanos held) noexcept {
  if (!logs(Level::Error)) return;
  // Wherever lines go else: these may be the last words.
  write_out(limits_.log_fd, log_prefix("ERROR") + "the loop is held for " +
                                std::to_string(held / kMillisecond) +
                                " ms; the stacks of all threads:\n");
  ask_for_stacks(began, limits_.alarm_signal);
}

bool Watchdog::logs(Level level) const noexcept {
  return !limits_.least || level >= limits_.least->load(std::memory_order_relaxed);
}

void Watchdog::on_released(Nanos length, std::string line) noexcept {
  repeats_.grew(length);
  if (limits_.log_later) {  // behind the report
    hub_.loop().post(std::make_unique<Warning>(hub_, std::move(line)));
  } else if (hub_.log()) {
    hub_.log()->log(Level::Warning, line);
  }
}

// Straight to the descriptor, since the thread that would write the log is the one that
// hangs; later where the log is one that only this can write.
void Watchdog::warn(std::string text) noexcept {
  if (!logs(Level::Warning)) return;
  if (limits_.log_later) {
    hub_.loop().post(std::make_unique<Warning>(hub_, std::move(text)));
  } else {
    write_out(limits_.log_fd, log_prefix("WARNING") + text + '\n');
  }
}

}  // namespace celadon::green
