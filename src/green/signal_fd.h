// A descriptor that can be read while one of some signals, which are blocked, waits.
#pragma once

#include "py/ref.h"

namespace celadon::green {

// signal_fd(signals) -> fd
[[nodiscard]] PyObject* py_signal_fd(PyObject*, PyObject* signals) noexcept;

}  // namespace celadon::green
