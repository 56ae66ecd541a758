// Attributes of classes that let nobody set any, as `select.epoll` is one since CPython
// 3.15. What is of that class, or asks `isinstance`, goes on as with any other class.
#pragma once

#include "py/ref.h"

namespace celadon::green {

// set_in_class(class, name, value)
PyObject* py_set_in_class(PyObject*, PyObject* const* args, Py_ssize_t count) noexcept;

}  // namespace celadon::green
