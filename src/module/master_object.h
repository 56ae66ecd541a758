// `celadon._core.Master`: the master as Python starts it.
#pragma once

#include "py/ref.h"

namespace celadon::module {

[[nodiscard]] int add_master_type(PyObject* module) noexcept;

}  // namespace celadon::module
