#include "loop/signals.h"

#include <pthread.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>

#include "base/assert.h"

namespace celadon::loop {
namespace {

// A signal handler can reach nothing but statics: the mutable globals of this room.
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
Signals* only_set = nullptr;

constexpr int kSignalsEnd = 64;
// Written before the handler that reads it is installed.
std::array<struct sigaction, kSignalsEnd> former_actions{};
std::atomic<std::uint64_t> has_former{0};
constexpr std::uint64_t bit_of(int signo) noexcept {
  return std::uint64_t{1} << static_cast<unsigned>(signo);
}

void call_former(int signo, siginfo_t* info, void* context) noexcept {
  const struct sigaction& action = former_actions[static_cast<std::size_t>(signo)];
  if ((action.sa_flags & SA_SIGINFO) != 0) {
    action.sa_sigaction(signo, info, context);
  } else {
    action.sa_handler(signo);
  }
}

void remember(int signo, siginfo_t* info, void* context) noexcept {
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
  if ((has_former.load() & bit_of(signo)) != 0) call_former(signo, info, context);
  errno = saved_errno;
}

}  // namespace

Signals::Signals(Loop& loop, SignalHandler& handler) noexcept : handler_(handler) {
  const int before = wake_descriptor.exchange(loop.wake_fd());
  CHECK(before < 0, "two signal sets in one process");
  only_set = this;
  loop.add_hook(*this);
}

Signals::~Signals() {
  give_back();
}

void Signals::give_back() noexcept {
  for (const Saved& saved : saved_) ::sigaction(saved.signo, &saved.action, nullptr);
  saved_.clear();
  wake_descriptor.store(-1);
  pending_signals.store(0);
  has_former.store(0);
  only_set = nullptr;
}

void Signals::after_fork_in_child() noexcept {
  if (only_set) only_set->give_back();
}

bool Signals::watch_beside(int signo, void (*interpreters)(int)) noexcept {
  struct sigaction former{};
  const bool others = ::sigaction(signo, nullptr, &former) == 0 &&
                      former.sa_handler != SIG_DFL && former.sa_handler != SIG_IGN &&
                      former.sa_handler != interpreters;
  if (others) {
    former_actions[static_cast<std::size_t>(signo)] = former;
    has_former.fetch_or(bit_of(signo));
  }
  watch(signo);
  return others;
}

void Signals::watch(int signo) noexcept {
  CHECK(signo > 0 && signo < kSignalsEnd, "not a signal number");
  CHECK(saved_.size() < kMost, "too many signals");
  struct sigaction action{};
  action.sa_sigaction = remember;
  sigfillset(&action.sa_mask);
  action.sa_flags = SA_RESTART | SA_SIGINFO;
  Saved saved{signo, {}};
  if (::sigaction(signo, &action, &saved.action) == 0) saved_.push_back(saved);
  sigset_t one;
  sigemptyset(&one);
  sigaddset(&one, signo);
  pthread_sigmask(SIG_UNBLOCK, &one, nullptr);
}

void Signals::on_turn_end() noexcept {
  std::uint64_t pending = pending_signals.exchange(0, std::memory_order_relaxed);
  for (; pending != 0; pending >>= kBits) {
    handler_.on_signal(static_cast<int>(pending & kMask));
  }
}

}  // namespace celadon::loop
