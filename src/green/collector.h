// The cyclic garbage collector: nothing may switch while it runs.
#pragma once

#include "py/ref.h"

namespace celadon::green {

// The first of gc.callbacks.
[[nodiscard]] PyObject* py_gc_begins(PyObject*, PyObject* const* args,
                                     Py_ssize_t count) noexcept;
// The last of them: until those before it are done, CPython collects nothing.
[[nodiscard]] PyObject* py_gc_ends(PyObject*, PyObject* const* args,
                                   Py_ssize_t count) noexcept;

}  // namespace celadon::green
