// Functions of this room that Python calls.
#pragma once

#include "py/ref.h"

namespace celadon::green {

// Adds the room's types, functions and exceptions to the module. -1 with an exception.
[[nodiscard]] int add_to_module(PyObject* module) noexcept;

}  // namespace celadon::green
