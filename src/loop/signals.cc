#include "loop/signals.h"

#include <unistd.h>

#include <atomic>
#include <cerrno>

#include "base/assert.h"

namespace celadon::loop {
namespace {

// A signal handler can reach nothing but statics: the one mutable global of this room.
// Six bits for each signal that came, the first one lowest.
std::atomic<std::uint64_t> pending_signals{0};
constexpr int kBits = 6;
constexpr std::uint64_t kMask = (1 << kBits) - 1;
static_assert(Signals::kMost * kBits <= 64);

std::uint64_t with(std::uint64_t pending, std::uint64_t signo) noexcept {
  std::uint64_t all = 0;
  int end = 0;
  for (; pending != 0; pending >>= kBits) {
    if ((pending & kMask) == signo) continue;
    all |= (pending & kMask) << end;
    end += kBits;
  }
  return all | signo << end;
}

std::atomic<int> wake_descriptor{-1};

void remember(int signo) noexcept {
  const int saved_errno = errno;
  std::uint64_t before = pending_signals.load(std::memory_order_relaxed);
  while (!pending_signals.compare_exchange_weak(
      before, with(before, static_cast<std::uint64_t>(signo)),
      std::memory_order_relaxed)) {
  }
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
  CHECK(saved_.size() < kMost, "too many signals");
  struct sigaction action{};
  action.sa_handler = remember;
  sigfillset(&action.sa_mask);
  action.sa_flags = SA_RESTART;
  Saved saved{signo, {}};
  if (::sigaction(signo, &action, &saved.action) == 0) saved_.push_back(saved);
}

void Signals::on_turn_end() noexcept {
  std::uint64_t pending = pending_signals.exchange(0, std::memory_order_relaxed);
  for (; pending != 0; pending >>= kBits) {
    handler_.on_signal(static_cast<int>(pending & kMask));
  }
}

}  // namespace celadon::loop
