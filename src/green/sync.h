// Event, Semaphore, BoundedSemaphore, Condition, SimpleQueue (green.md 3.4).
#pragma once

#include "py/ref.h"

namespace celadon::green {
[[nodiscard]] int add_sync_types(PyObject* module) noexcept;
[[nodiscard]] int add_condition_type(PyObject* module) noexcept;
[[nodiscard]] int add_queue_type(PyObject* module) noexcept;
}  // namespace celadon::green
