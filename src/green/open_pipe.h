// `open` and `os.open`: a pipe with a name is not opened before somebody has its other
// end.
#pragma once

#include "py/ref.h"

namespace celadon::green {

// before_open(native, waiting) -> function: what stands for `native` below its name.
// Where a greenlet opens a pipe it is `waiting`; no frame of Python's lies between it
// and `native`, so that errors of either have the tracebacks they had.
PyObject* py_before_open(PyObject*, PyObject* const* args, Py_ssize_t count) noexcept;
// before_os_open(native, waiting) -> function: likewise, of pipes with a name alone.
PyObject* py_before_os_open(PyObject*, PyObject* const* args,
                            Py_ssize_t count) noexcept;

}  // namespace celadon::green
