// Helpers for the tables that describe types and functions.
#pragma once

#include "py/ref.h"

namespace celadon::py {

// CPython's tables hold functions of several shapes behind one pointer type.
template <class F>
[[nodiscard]] PyCFunction as_method(F* function) noexcept {
  return reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(function));
}
template <class F>
[[nodiscard]] void* as_slot(F* function) noexcept {
  return reinterpret_cast<void*>(function);
}

// Makes a heap type and puts it in the module under its last name; null with an
// exception. The type stays alive for the life of the process.
[[nodiscard]] PyTypeObject* add_type(PyObject* module, PyType_Spec& spec) noexcept;

// The end of a tp_dealloc of a heap type: frees the object and lets go of its type.
void free_object(PyObject* self) noexcept;

// Seconds as int, float or None to nanoseconds: -1 for None, and for what is too long
// to matter. A time that is over already is 0. False with an exception for anything
// else, NaN included.
[[nodiscard]] bool parse_seconds(PyObject* value, long long& nanos) noexcept;

}  // namespace celadon::py
