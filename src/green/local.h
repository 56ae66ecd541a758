// threading.local for greenlets and threads: one __dict__ per runner or native thread.
#pragma once

#include "py/ref.h"

namespace celadon::green {
[[nodiscard]] int add_local_type(PyObject* module) noexcept;
}
