// `receive` and `send`, and what their calls give: awaitables that are done at once
// where they can be, and wait by a future of the loop only where they must.
//
//   await send(message) ─► Answer::take ─► Done
//                           ▲  │     └► Begun (a file) ─► Answer::go_on ─► ...
//                           │  └► Wait ─┐
//                           └─ future ◄─┘ in line with others
//
// A message waits for room before anything of it is taken: one that is cancelled there
// was not sent.
#pragma once

#include <cstdint>

#include "py/ref.h"

namespace celadon::asgi {

class Request;

struct PortObject {
  PyObject_HEAD vectorcallfunc call;
  Request* request;  // null once it has ended
  bool sends;
  bool left;                  // the client, before its answer was complete
  std::uint16_t closed_with;  // the code of a WebSocket that it was; 0: of none
};

// A call of `send` whose message is to be taken.
struct Sender {
  const PortObject& port;  // which knows whether the request has ended meanwhile
  bool is_next;            // of those that wait for room
  bool had_turn;           // others had theirs since it began
};

// Those of one request. They are used again for others where nobody has kept one.
struct Ports {
  py::Owned<PortObject> receive;
  py::Owned<PortObject> send;

  // False with an exception.
  [[nodiscard]] bool attach(Request& request) noexcept;
  // As PortObject has them.
  void detach(bool left, std::uint16_t closed_with) noexcept;
};

[[nodiscard]] int add_port_types(PyObject* module) noexcept;

// Raises what was thrown: an exception, or a type and a value.
void raise_thrown(PyObject* const* thrown, Py_ssize_t count) noexcept;
// Throws into an iterator or coroutine: what it yields, null with what it raises.
[[nodiscard]] PyObject* throw_into(PyObject* target, PyObject* const* thrown,
                                   Py_ssize_t count) noexcept;

}  // namespace celadon::asgi
