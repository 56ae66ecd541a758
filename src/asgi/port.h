// `receive` and `send`, and what their calls give: awaitables that are done at once
// where they can be, and wait by a future of the loop only where they must.
//
//   await send(message) ─► Answer::take ─► Done
//                             └► Wait ─► future ─► Answer::go_on ─► ...
#pragma once

#include "py/ref.h"

namespace celadon::asgi {

class Request;

struct PortObject {
  PyObject_HEAD vectorcallfunc call;
  Request* request;  // null once it has ended
  bool sends;
  bool left;  // the client, before its answer was complete
};

// Those of one request. They are used again for others where nobody has kept one.
struct Ports {
  py::Owned<PortObject> receive;
  py::Owned<PortObject> send;

  // False with an exception.
  [[nodiscard]] bool attach(Request& request) noexcept;
  // `client_left`: before its answer was complete.
  void detach(bool client_left) noexcept;
};

[[nodiscard]] int add_port_types(PyObject* module) noexcept;

// Raises what was thrown: an exception, or a type and a value.
void raise_thrown(PyObject* const* thrown, Py_ssize_t count) noexcept;
// Throws into an iterator or coroutine: what it yields, null with what it raises.
[[nodiscard]] PyObject* throw_into(PyObject* target, PyObject* const* thrown,
                                   Py_ssize_t count) noexcept;

}  // namespace celadon::asgi
