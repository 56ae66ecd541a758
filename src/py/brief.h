// An application's value in a message of ours.
#pragma once

#include "py/ref.h"

namespace celadon::py {

// Its type and the first characters of its repr, as a str; empty with an error set.
// What an application gave may be a whole file, and a message goes to the log.
[[nodiscard]] Object brief(PyObject* value) noexcept;

// Raises `type` with `format`, whose one %U is `brief` of `value`.
void raise_about(PyObject* type, const char* format, PyObject* value) noexcept;

}  // namespace celadon::py
