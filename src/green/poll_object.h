// What a select.poll object watches, which it tells nobody.
#pragma once

#include "py/ref.h"

namespace celadon::green {

// {fd: events}, a copy; None where this version of CPython is not known.
PyObject* py_poll_members(PyObject*, PyObject* object) noexcept;

}  // namespace celadon::green
