#include "module/watchdog.h"

#include <unistd.h>

#include <chrono>
#include <csignal>
#include <new>
#include <string>

#include "loop/signals_blocked.h"

namespace celadon::module {

Watchdog::Watchdog(green::Hub& hub, Nanos limit, int signo)
    : hub_(hub), limit_(limit), signo_(signo), watched_(::pthread_self()) {
  const loop::SignalsBlocked blocked;
  thread_ = std::thread([this] { run(); });
}

Watchdog::~Watchdog() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  stop_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void Watchdog::abandon() noexcept {
  ::new (&thread_) std::thread();
  ::new (&mutex_) std::mutex();
  ::new (&stop_) std::condition_variable();
}

void Watchdog::run() noexcept {
  std::unique_lock lock(mutex_);
  const auto period = std::chrono::nanoseconds(limit_ / 2);
  while (!stop_.wait_for(lock, period, [this] { return stopping_; })) look();
}

void Watchdog::look() noexcept {
  const Nanos began = hub_.slice_started();
  if (began == 0 || began == reported_) return;
  const Nanos held = green::monotonic_now() - began;
  if (held < limit_) return;
  reported_ = began;
  // Straight to the descriptor: the thread that would write the log is the one that
  // hangs.
  const std::string line = "celadon: one request has held the loop for " +
                           std::to_string(held / kSecond) + " s; the stacks:\n";
  [[maybe_unused]] const auto n = ::write(2, line.data(), line.size());
  ::pthread_kill(watched_, signo_);
}

}  // namespace celadon::module
