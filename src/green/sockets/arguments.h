// Arguments of socket methods. What does not fit is left to CPython's own methods, for
// their errors: nothing here leaves an exception set.
#pragma once

#include <climits>
#include <cstddef>

#include "py/ref.h"

namespace celadon::green::sockets {

[[nodiscard]] inline bool to_size(PyObject* object, Py_ssize_t& out) noexcept {
  out = PyNumber_AsSsize_t(object, PyExc_OverflowError);
  if (out != -1 || !PyErr_Occurred()) return true;
  PyErr_Clear();
  return false;
}

[[nodiscard]] inline bool to_flags(PyObject* object, int& out) noexcept {
  const long value = PyLong_AsLong(object);
  if (value == -1 && PyErr_Occurred()) {
    PyErr_Clear();
    return false;
  }
  out = static_cast<int>(value);
  return value >= INT_MIN && value <= INT_MAX;
}

// Positions for positional and named arguments; absent ones stay null.
template <std::size_t N>
[[nodiscard]] bool bind_arguments(PyObject* const* args, Py_ssize_t count,
                                  PyObject* names, const char* const (&keywords)[N],
                                  PyObject* (&out)[N]) noexcept {
  const Py_ssize_t named = names ? PyTuple_GET_SIZE(names) : 0;
  if (count + named > static_cast<Py_ssize_t>(N)) return false;
  for (Py_ssize_t i = 0; i < count; ++i) out[i] = args[i];
  for (Py_ssize_t i = 0; i < named; ++i) {
    std::size_t at = 0;
    while (at < N && PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(names, i),
                                                      keywords[at]) != 0) {
      ++at;
    }
    if (at == N || out[at]) return false;
    out[at] = args[count + i];
  }
  return true;
}

}  // namespace celadon::green::sockets
