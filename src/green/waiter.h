// The one wait queue under every lock, event and queue. Its waiters are greenlets or
// native threads, in order of arrival.
//
// Everything here is guarded by the GIL. A waiter that was granted returns normally,
// whatever else is pending for it; one that was not leaves the queue and raises: an
// operation took effect, or it raised, never both. Granting never switches.
#pragma once

#include <cstdint>
#include <new>

#include "base/account.h"
#include "base/clock.h"
#include "base/intrusive_list.h"

namespace celadon::green {

class Hub;
class Strand;

class Waiter : public ListHook<Waiter> {
 public:
  virtual ~Waiter() = default;
  // Makes the waiter run again. Any thread, GIL held.
  virtual void wake() noexcept = 0;
  // Null: a native thread.
  [[nodiscard]] virtual Strand* as_strand() noexcept { return nullptr; }

  bool granted = false;
  // Who waits, so that a lock can be theirs from the moment it is granted.
  unsigned long ident = 0;
  std::uint32_t ident_job = 0;    // which of its jobs
  unsigned long known_ident = 0;  // whom `threading` takes it for, and in which step
  std::uint64_t known_step = 0;   // (identity.h)
  Hub* of_hub = nullptr;
};

// How many forks lie between the first process and this one.
[[nodiscard]] std::uint32_t forks() noexcept;
// Has forks counted from now on.
void count_forks() noexcept;

// Begins anew in a forked child: what was there is of greenlets and threads that are
// not. It is not destroyed, since their stacks may be others' already.
template <class T>
class OfProcess {
 public:
  OfProcess() noexcept = default;
  OfProcess(const OfProcess&) = delete;
  OfProcess& operator=(const OfProcess&) = delete;
  ~OfProcess() { static_cast<void>(**this); }

  T& operator*() noexcept {
    if (of_ != forks()) {
      ::new (&value_) T();
      of_ = forks();
    }
    return value_;
  }
  T* operator->() noexcept { return &**this; }

 private:
  T value_{};
  std::uint32_t of_ = forks();
};

using WaitQueue = OfProcess<IntrusiveList<Waiter>>;

enum class Waited : std::uint8_t {
  Granted,
  TimedOut,
  Interrupted,  // a Python exception is set
};

// What a parked greenlet waits for: for people, not for decisions.
enum class ParkReason : std::uint8_t {
  Sleep,
  Lock,
  Event,
  Queue,
  Fd,
  Body,
  Write,
  Join,
  Main,
  Database,  // a descriptor of a driver's
  Dns,       // a native thread that asks for addresses
  Thread     // one that does something else
};
// What the time of such a wait counts as.
[[nodiscard]] Spent spent_on(ParkReason reason) noexcept;

// Joins the end of `queue` and waits until granted or `deadline` (monotonic; kNever:
// without end). A greenlet parks; a thread without a hub, and a place where parking is
// forbidden, blocks natively without the GIL. With `shielded`, or where `deadline` has
// passed, no kill and no timeout is delivered here.
[[nodiscard]] Waited wait_on(WaitQueue& queue, Nanos deadline, ParkReason reason,
                             bool shielded = false) noexcept;

// Grants the first waiter and returns it; null where there is none.
Waiter* grant_first(WaitQueue& queue) noexcept;

// Monotonic nanoseconds, as deadlines of this thread count.
[[nodiscard]] Nanos monotonic_now() noexcept;
[[nodiscard]] Nanos deadline_after(long long nanos) noexcept;  // -1: kNever

}  // namespace celadon::green
