// wsgi.input: a stream over the body of one request.
#pragma once

#include <cstdint>

#include "py/ref.h"

namespace celadon::wsgi {

class Request;

struct InputObject {
  PyObject_HEAD Request* request;  // null once the request has ended
  std::uint64_t spool_at;          // read position in a spooled body
};

// Belongs to no request yet.
[[nodiscard]] py::Owned<InputObject> make_input() noexcept;
[[nodiscard]] int add_input_type(PyObject* module) noexcept;

}  // namespace celadon::wsgi
