#include "base/semaphore.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>

namespace celadon {
namespace {

static_assert(sizeof(std::atomic<std::uint32_t>) == sizeof(std::uint32_t));

// FUTEX_WAIT_BITSET's time is a point of the monotonic clock, FUTEX_WAIT's a span.
int wait_while_zero(std::atomic<std::uint32_t>& word, const timespec* until) noexcept {
  const long r = ::syscall(SYS_futex, &word, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, 0,
                           until, nullptr, FUTEX_BITSET_MATCH_ANY);
  return r == 0 ? 0 : errno;
}

}  // namespace

void Semaphore::post() noexcept {
  // Its owner may be gone as soon as it is counted: the kernel alone looks at the
  // address then, and wakes at worst somebody who looks again.
  count_.fetch_add(1, std::memory_order_release);
  ::syscall(SYS_futex, &count_, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1, nullptr, nullptr,
            0);
}

int Semaphore::wait(Nanos deadline) noexcept {
  const timespec at{static_cast<std::time_t>(deadline / kSecond),
                    static_cast<long>(deadline % kSecond)};
  while (!take()) {
    const int failure = wait_while_zero(count_, deadline == kNever ? nullptr : &at);
    if (failure == ETIMEDOUT || failure == EINTR) return take() ? 0 : failure;
  }
  return 0;
}

bool Semaphore::take() noexcept {
  std::uint32_t count = count_.load(std::memory_order_relaxed);
  while (count > 0) {
    if (count_.compare_exchange_weak(count, count - 1, std::memory_order_acquire,
                                     std::memory_order_relaxed)) {
      return true;
    }
  }
  return false;
}

}  // namespace celadon
