// `os.close`, `os.read`, `os.write` and `os.eventfd_read`, without a frame of Python's
// in between: what is a file costs what it did.
#pragma once

#include "py/ref.h"

namespace celadon::green {

// os_functions(os) -> {name: function}, but for those that somebody stands before.
PyObject* py_os_functions(PyObject*, PyObject* module) noexcept;

}  // namespace celadon::green
