// What every greenlet does and waits for: for reports.
#pragma once

#include "py/ref.h"

namespace celadon::green {

// greenlets() -> one dictionary for each greenlet of this process.
[[nodiscard]] PyObject* py_greenlets(PyObject*, PyObject*) noexcept;

}  // namespace celadon::green
