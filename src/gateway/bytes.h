// Bytes objects on their way out.
#pragma once

#include <string_view>

#include "base/out_queue.h"
#include "py/ref.h"

namespace celadon::gateway {

// The bytes object stays alive until its last byte is with the kernel, and the loop
// drops it. That runs no code, but for a subclass's: of one a copy is kept.
[[nodiscard]] inline Owner own_bytes(PyObject* bytes) noexcept {
  if (!PyBytes_CheckExact(bytes)) return {};
  return {py::new_ref(bytes),
          [](void* object) noexcept { py::drop(static_cast<PyObject*>(object)); }};
}

[[nodiscard]] inline std::string_view view_bytes(PyObject* bytes) noexcept {
  return {PyBytes_AS_STRING(bytes), static_cast<std::size_t>(PyBytes_GET_SIZE(bytes))};
}

}  // namespace celadon::gateway
