// The only door to the greenlet package's C API.
#pragma once

#include "py/ref.h"

namespace celadon::green {

// Fills the API table; -1 with an exception.
[[nodiscard]] int import_greenlet() noexcept;

[[nodiscard]] py::Object current_greenlet() noexcept;
// A greenlet that will call `run` with no arguments.
[[nodiscard]] py::Object new_greenlet(PyObject* run, PyObject* parent) noexcept;
// Leaves for `greenlet`; returns when something switches back here. Null: an exception
// was thrown into us.
[[nodiscard]] py::Object switch_to(PyObject* greenlet) noexcept;
// Raises GreenletExit in it and runs it until it ends or parks.
void throw_exit(PyObject* greenlet) noexcept;
[[nodiscard]] bool is_active(PyObject* greenlet) noexcept;
// greenlet.GreenletExit, borrowed.
[[nodiscard]] PyObject* greenlet_exit_type() noexcept;

}  // namespace celadon::green
