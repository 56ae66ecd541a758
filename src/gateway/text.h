// Between bytes and native strings: latin-1 code points, as PEP 3333 wants them.
#pragma once

#include <string_view>

#include "py/ref.h"

namespace celadon::gateway {

// A str of those bytes as latin-1. Null with an exception (out of memory).
[[nodiscard]] py::Object to_str(std::string_view bytes) noexcept;

// The latin-1 bytes of a str, as a view into it; false where a code point is above
// 0xff.
[[nodiscard]] inline bool latin1_view(PyObject* text, std::string_view& out) noexcept {
  if (PyUnicode_READY(text) < 0 || PyUnicode_KIND(text) != PyUnicode_1BYTE_KIND) {
    return false;
  }
  out = {reinterpret_cast<const char*>(PyUnicode_1BYTE_DATA(text)),
         static_cast<std::size_t>(PyUnicode_GET_LENGTH(text))};
  return true;
}

}  // namespace celadon::gateway
