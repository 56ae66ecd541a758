// What Python calls of this room.
#pragma once

#include "py/ref.h"

namespace celadon::aio {

class LoopWait;

// Adds the room's types and functions to the module. -1 with an exception.
[[nodiscard]] int add_to_module(PyObject* module) noexcept;

// That of a loop's object; null where it is none.
[[nodiscard]] LoopWait* loop_wait_in(PyObject* object) noexcept;

}  // namespace celadon::aio
