// `celadon._core.Master`: the master as Python starts it.
#pragma once

#include "module/seat.h"
#include "py/ref.h"

namespace celadon::module {

// The seat in what `Master.run()` returned, or null for None. False with an exception.
[[nodiscard]] bool get_seat(PyObject* object, Seat*& seat) noexcept;

[[nodiscard]] int add_master_type(PyObject* module) noexcept;

}  // namespace celadon::module
