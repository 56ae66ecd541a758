// A message of an application's, read key by key.
#pragma once

#include <string_view>

#include "asgi/names.h"
#include "py/ref.h"

namespace celadon::asgi {

class Message {
 public:
  explicit Message(PyObject* dict) noexcept : dict_(dict) {}

  // Its type; empty with an exception.
  [[nodiscard]] std::string_view type() noexcept;
  // What it has by that name, borrowed; null where it has nothing. What else it has is
  // passed over: messages may come to hold more ("Error Handling" of ASGI).
  [[nodiscard]] PyObject* find(Name name) noexcept;
  // Likewise, with an exception where it has nothing.
  [[nodiscard]] PyObject* need(Name name) noexcept;
  // False with an exception.
  [[nodiscard]] bool flag(Name name, bool& out) noexcept;

 private:
  PyObject* dict_;
};

// `value` as bytes: frameworks pass on what views give, memoryviews too. Null with a
// TypeError of that format.
[[nodiscard]] py::Object as_bytes(PyObject* value, const char* format) noexcept;

}  // namespace celadon::asgi
