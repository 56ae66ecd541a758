// How native threads wait under an exploration: at a gate that its conductor opens.
#pragma once

#include <vector>

#include "green/waiter.h"
#include "py/ref.h"

namespace celadon::green {

// By which this thread's waits are timed; null: the system's.
void set_clock_of_thread(Clock* clock) noexcept;
// Called by this thread instead of a wait in the kernel; borrowed by nobody: kept.
void set_thread_gate(PyObject* gate) noexcept;

struct GatedWait {
  unsigned long thread;
  bool granted;
  Nanos deadline;
};
// Waits at gates, in the order in which they began. GIL held.
[[nodiscard]] std::vector<GatedWait> gated_waits() noexcept;

}  // namespace celadon::green
