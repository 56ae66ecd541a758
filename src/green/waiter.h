// The one wait queue under every lock, event and queue. Its waiters are greenlets or
// native threads, in order of arrival.
//
// Everything here is guarded by the GIL. A waiter that was granted returns normally,
// whatever else is pending for it; one that was not leaves the queue and raises: an
// operation took effect, or it raised, never both. Granting never switches.
#pragma once

#include <cstdint>

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
  std::uint32_t ident_job = 0;  // which of its jobs
  Hub* of_hub = nullptr;
};

using WaitQueue = IntrusiveList<Waiter>;

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
