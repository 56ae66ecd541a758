#include "green/waiter.h"

#include <pthread.h>

#include <cerrno>

#include "base/semaphore.h"
#include "green/hub.h"
#include "green/identity.h"
#include "green/thread_waiter.h"
#include "py/gil.h"

namespace celadon::green {
namespace {

std::uint32_t forks_so_far = 0;  // of the process, whichever thread forks

// Of this thread, where it is explored.
thread_local Clock* thread_clock = nullptr;
thread_local PyObject* thread_gate = nullptr;

struct GateTag;

// A native thread that blocks. It may live on the stack: that thread does nothing else.
class ThreadWaiter final : public Waiter, public ListHook<GateTag> {
 public:
  void wake() noexcept override { semaphore_.post(); }

  Waited block(Nanos deadline) noexcept {
    if (thread_gate) return wait_at_gate(deadline);
    while (true) {
      const int err = wait_without_gil(deadline);
      if (granted) return Waited::Granted;
      if (err == ETIMEDOUT) return Waited::TimedOut;
      if (err == EINTR && PyErr_CheckSignals() < 0) return Waited::Interrupted;
    }
  }

  [[nodiscard]] GatedWait as_gated() const noexcept {
    return {ident, granted, deadline_};
  }

 private:
  Waited wait_at_gate(Nanos deadline) noexcept;
  int wait_without_gil(Nanos deadline) noexcept {
    const py::WithoutGil gil;
    return semaphore_.wait(deadline);
  }
  Semaphore semaphore_;
  Nanos deadline_ = kNever;
};

// Guarded by the GIL.
IntrusiveList<ThreadWaiter, GateTag>& at_gates() noexcept {
  static IntrusiveList<ThreadWaiter, GateTag> all;
  return all;
}

Waited ThreadWaiter::wait_at_gate(Nanos deadline) noexcept {
  deadline_ = deadline;
  at_gates().push_back(*this);
  while (true) {
    const py::Object opened(PyObject_CallNoArgs(thread_gate));
    if (granted) return PyErr_Clear(), Waited::Granted;
    if (!opened) return Waited::Interrupted;
    if (deadline != kNever && monotonic_now() >= deadline) return Waited::TimedOut;
  }
}

}  // namespace

std::uint32_t forks() noexcept {
  return forks_so_far;
}

void count_forks() noexcept {
  [[maybe_unused]] static const int registered =
      ::pthread_atfork(nullptr, nullptr, [] { ++forks_so_far; });
}

void set_clock_of_thread(Clock* clock) noexcept {
  thread_clock = clock;
}

void set_thread_gate(PyObject* gate) noexcept {
  const py::Object before(thread_gate);
  thread_gate = gate ? py::new_ref(gate) : nullptr;
}

std::vector<GatedWait> gated_waits() noexcept {
  std::vector<GatedWait> found;
  auto& all = at_gates();
  for (ThreadWaiter* each = all.front(); each; each = all.next(*each)) {
    found.push_back(each->as_gated());
  }
  return found;
}

Spent spent_on(ParkReason reason) noexcept {
  switch (reason) {
    case ParkReason::Sleep:
    case ParkReason::Main: return Spent::Sleep;
    case ParkReason::Lock:
    case ParkReason::Event:
    case ParkReason::Queue:
    case ParkReason::Join: return Spent::Lock;
    case ParkReason::Body:
    case ParkReason::Write: return Spent::Client;
    case ParkReason::Database: return Spent::Database;
    case ParkReason::Dns: return Spent::Dns;
    case ParkReason::Thread: return Spent::Thread;
    case ParkReason::Fd: break;
  }
  return Spent::Socket;
}

Waited wait_on(WaitQueue& queue, Nanos deadline, ParkReason reason,
               bool shielded) noexcept {
  // What cannot wait delivers nothing: it is over before anything could come.
  if (deadline != kNever && deadline <= monotonic_now()) shielded = true;
  if (can_park()) {
    Strand& strand = *current_strand();
    strand.granted = false;
    strand.ident = current_ident();
    strand.ident_job = strand.jobs();
    strand.known_ident = thread_ident_of(strand);
    strand.known_step = strand.step();
    strand.of_hub = &strand.hub();
    queue->push_back(strand);
    return strand.hub().park(strand, deadline, reason, shielded);
  }
  ThreadWaiter waiter;
  waiter.ident = current_ident();
  waiter.known_ident = thread_ident();
  waiter.of_hub = Hub::here();
  queue->push_back(waiter);
  return waiter.block(deadline);  // its hook leaves the queue with it
}

Waiter* grant_first(WaitQueue& queue) noexcept {
  Waiter* waiter = queue->pop_front();
  if (!waiter) return nullptr;
  waiter->granted = true;
  waiter->wake();
  return waiter;
}

Nanos monotonic_now() noexcept {
  if (thread_clock) return thread_clock->now();
  SystemClock clock;
  return clock.now();
}

Nanos deadline_after(long long nanos) noexcept {
  if (nanos < 0) return kNever;
  const Nanos now = monotonic_now();
  return nanos > kNever - now ? kNever : now + nanos;
}

}  // namespace celadon::green
