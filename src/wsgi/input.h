// wsgi.input: a stream over the body of one request.
#pragma once

#include "py/ref.h"

namespace celadon::gateway {
class SpooledBody;
}

namespace celadon::wsgi {

class Request;

struct InputObject {
  PyObject_HEAD Request* request;  // null once the request has ended
  gateway::SpooledBody* spooled;   // owned; null unless one is being read
};

// Belongs to no request yet.
[[nodiscard]] py::Owned<InputObject> make_input() noexcept;
void detach_input(InputObject& input) noexcept;
[[nodiscard]] int add_input_type(PyObject* module) noexcept;

}  // namespace celadon::wsgi
