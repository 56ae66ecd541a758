// What Python calls of this room.
#pragma once

#include "py/ref.h"

namespace celadon::aio {

// Adds the room's types and functions to the module. -1 with an exception.
[[nodiscard]] int add_to_module(PyObject* module) noexcept;

}  // namespace celadon::aio
