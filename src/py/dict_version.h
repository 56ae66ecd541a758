// A number that changes with each write to a dict: until CPython 3.14, which has none.
#pragma once

#include <cstdint>

#include "py/python.h"

namespace celadon::py {

// 0: there is no such number.
[[nodiscard]] inline std::uint64_t dict_version(PyObject* dict) noexcept {
#if PY_VERSION_HEX < 0x030E0000
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
  return reinterpret_cast<PyDictObject*>(dict)->ma_version_tag;
#pragma GCC diagnostic pop
#else
  static_cast<void>(dict);
  return 0;
#endif
}

}  // namespace celadon::py
