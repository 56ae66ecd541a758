// Series for Python: the namespace _core.metrics.
#pragma once

#include "py/ref.h"

namespace celadon::module {

[[nodiscard]] int add_metrics(PyObject* module) noexcept;

}  // namespace celadon::module
