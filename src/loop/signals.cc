#include "loop/signals.h"

#include <unistd.h>

#include <atomic>
#include <bit>
#include <cerrno>

#include "base/assert.h"

namespace celadon::loop {
namespace {

// A signal handler can reach nothing but statics: the one mutable global of this room.
std::atomic<std::uint64_t> pending_signals{0};
std::atomic<int> wake_descriptor{-1};

void remember(int signo) noexcept {
  const int saved_errno = errno;
  pending_signals.fetch_or(std::uint64_t{1} << signo, std::memory_order_relaxed);
  const std::uint64_t one = 1;
  const int fd = wake_descriptor.load(std::memory_order_relaxed);
  if (fd >= 0) {
    [[maybe_unused]] const auto n = ::write(fd, &one, sizeof one);
  }
  errno = saved_errno;
}

}  // namespace

Signals::Signals(Loop& loop, SignalHandler& handler) noexcept : handler_(handler) {
  const int before = wake_descriptor.exchange(loop.wake_fd());
  CHECK(before < 0, "two signal sets in one process");
  loop.add_hook(*this);
}

Signals::~Signals() {
  for (const Saved& saved : saved_) ::sigaction(saved.signo, &saved.action, nullptr);
  wake_descriptor.store(-1);
  pending_signals.store(0);
}

void Signals::watch(int signo) noexcept {
  CHECK(signo > 0 && signo < 64, "not a signal number");
  struct sigaction action{};
  action.sa_handler = remember;
  sigfillset(&action.sa_mask);
  action.sa_flags = SA_RESTART;
  Saved saved{signo, {}};
  if (::sigaction(signo, &action, &saved.action) == 0) saved_.push_back(saved);
}

void Signals::on_turn_end() noexcept {
  std::uint64_t set = pending_signals.exchange(0, std::memory_order_relaxed);
  while (set) {
    const int signo = std::countr_zero(set);
    set &= set - 1;
    handler_.on_signal(signo);
  }
}

}  // namespace celadon::loop
