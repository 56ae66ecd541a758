// start_response and everything it was told.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "http/response.h"
#include "py/ref.h"

namespace celadon::wsgi {

class Request;

// The head an application asked for: checked, and kept by reference to its strings.
struct HeadState {
  int status = 0;
  py::Object status_text;         // "200 OK"
  std::vector<PyObject*> fields;  // name, value, name, value ...: owned
  std::optional<std::uint64_t> content_length;
  bool has_date = false;
  bool has_server = false;
  bool close = false;

  ~HeadState() { clear(); }
  void clear() noexcept;
};

struct ResponderObject {
  PyObject_HEAD vectorcallfunc call;
  Request* request;  // null once the request has ended
  bool started;
  HeadState head;
};

[[nodiscard]] py::Owned<ResponderObject> make_responder(Request& request) noexcept;
void detach_responder(ResponderObject& responder) noexcept;
// The head as the protocol needs it. `scratch` keeps the field views.
[[nodiscard]] http::ResponseHead view_head(
    const ResponderObject& responder, std::vector<http::HeaderView>& scratch) noexcept;
// The `wsgi.early_hints` callable of the same request.
[[nodiscard]] py::Object make_early_hints(ResponderObject& responder) noexcept;
[[nodiscard]] int add_responder_type(PyObject* module) noexcept;

}  // namespace celadon::wsgi
