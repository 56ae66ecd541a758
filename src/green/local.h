// threading.local for greenlets and threads: one __dict__ per runner or native thread.
#pragma once

#include "py/ref.h"

namespace celadon::green {
[[nodiscard]] int add_local_type(PyObject* module) noexcept;
// Before a runner's values go: no local looks at them any more, not even one that a
// destructor among them uses.
void detach_locals(PyObject* values) noexcept;
}  // namespace celadon::green
