#pragma once

#include "py/ref.h"

namespace celadon::green::sockets {

// Names of celadon._core.sockets.
[[nodiscard]] int add_to_module(PyObject* module) noexcept;

}  // namespace celadon::green::sockets
