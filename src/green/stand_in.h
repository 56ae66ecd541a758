// Functions in the place of functions of C. What stands there has the name, module,
// words and signature of the one before, and is as that one nobody's method: a function
// of Python's, once it is put into a class, would be.
#pragma once

#include "py/ref.h"

namespace celadon::green {

// One place. A function of C has none for what it calls but its module, so these are
// made once and live as long as the process.
struct StandIn {
  PyObject* native = nullptr;   // what was there
  PyObject* instead = nullptr;  // what is called, where that is a function of Python's
  PyObject* made = nullptr;     // what is there now
  PyMethodDef method{};
  PyObject* words = nullptr;  // bytes: the method's, where `native` has others
};

// `call`, in the place of `native`; the same one where it was made before. A new
// reference, or null with an exception. `call` gets the module of `native`. Where that
// is somebody's function of Python's, the place has its name in `method` already.
[[nodiscard]] PyObject* stand_in(StandIn& place, PyObject* native, PyCFunction call,
                                 int flags) noexcept;

// in_place_of(native, function) -> function
PyObject* py_in_place_of(PyObject*, PyObject* const* args, Py_ssize_t count) noexcept;

}  // namespace celadon::green
