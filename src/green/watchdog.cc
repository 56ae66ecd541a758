#include "green/watchdog.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <new>
#include <string>
#include <string_view>

#include "green/hub.h"
#include "loop/signals_blocked.h"
#include "py/python.h"

namespace celadon::green {
namespace {

Nanos period_of(const WatchLimits& limits) noexcept {
  Nanos least = kSecond;
  if (limits.reports()) least = std::min(least, limits.report / 2);
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

}  // namespace

Watchdog::Watchdog(Hub& hub, const WatchLimits& limits)
    : hub_(hub),
      limits_(limits),
      period_(period_of(limits)),
      watched_(::pthread_self()),
      watched_id_(::gettid()) {
  const loop::SignalsBlocked blocked;
  thread_ = std::thread([this] { run(); });
}

Watchdog::~Watchdog() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void Watchdog::abandon() noexcept {
  ::new (&thread_) std::thread();
  ::new (&mutex_) std::mutex();
  ::new (&changed_) std::condition_variable();
}

void Watchdog::run() noexcept {
  while (wait()) {
    look();
    idle_looks_ = hub_.resting() ? idle_looks_ + 1 : 0;
  }
}

bool Watchdog::wait() noexcept {
  std::unique_lock lock(mutex_);
  if (idle_looks_ < kIdleLooks) {
    changed_.wait_for(lock, std::chrono::nanoseconds(period_),
                      [this] { return stopping_; });
    return !stopping_;
  }
  // Said before the second look: either the hub sees that we sleep, or we see its work.
  asleep_.store(true, std::memory_order_seq_cst);
  if (hub_.resting()) {
    changed_.wait(lock, [this] { return stopping_ || !asleep_.load(); });
  }
  asleep_.store(false, std::memory_order_relaxed);
  return !stopping_;
}

void Watchdog::wake_up() noexcept {
  {
    const std::lock_guard lock(mutex_);
    asleep_.store(false, std::memory_order_relaxed);
  }
  changed_.notify_one();
}

void Watchdog::look() noexcept {
  const Nanos began = hub_.slice_started();
  if (began == 0) return;
  const Nanos held = monotonic_now() - began;
  if (limits_.preempts() && held >= limits_.preempt_at()) {
    interrupt();
  }
  if (limits_.reports() && held >= limits_.report && began != reported_) {
    reported_ = began;
    report(held);
  }
}

// Before 3.13 CPython looks for what was asked for from another thread only when
// something else stops its evaluation loop: there the signal has to be a real one.
void Watchdog::interrupt() const noexcept {
#if PY_VERSION_HEX >= 0x030D0000
  PyErr_SetInterruptEx(limits_.preempt_signal);
#else
  if (is_on_cpu(watched_id_) && is_handled(limits_.preempt_signal))
    ::pthread_kill(watched_, limits_.preempt_signal);
#endif
}

void Watchdog::report(Nanos held) const noexcept {
  // Straight to the descriptor: the thread that would write the log is the one that
  // hangs.
  const std::string line = "celadon: one request has held the loop for " +
                           std::to_string(held / kSecond) + " s; the stacks:\n";
  [[maybe_unused]] const auto n = ::write(2, line.data(), line.size());
  ::pthread_kill(watched_, limits_.report_signal);
}

}  // namespace celadon::green
