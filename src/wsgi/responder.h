// start_response and everything it was told.
#pragma once

#include <string_view>
#include <vector>

#include "gateway/request_info.h"
#include "http/response.h"
#include "py/ref.h"
#include "wsgi/input.h"

namespace celadon::wsgi {

class Request;

// The head an application asked for: checked, and kept by reference to its strings.
struct HeadState {
  int status = 0;
  // "200 OK": kept beyond its answer, since the next one mostly has the same.
  py::Object status_text;
  int status_of_text = 0;
  std::string_view reason;
  std::vector<http::HeaderView> fields;  // into the strings of `items`
  std::vector<PyObject*> items;          // (name, value) tuples: owned
  http::AnswerFields says;

  ~HeadState() { clear(); }
  void clear() noexcept;
  // At the end of a request: what is not worth to be kept goes, and what runs code of
  // others when it is dropped.
  void trim() noexcept;
};

struct ResponderObject {
  PyObject_HEAD vectorcallfunc call;
  Request* request;  // null once the request has ended
  PyObject* write;   // what start_response returns; borrowed from the kit
  unsigned lent;     // templates of environs that hold the kit's objects
  bool started;
  HeadState head;
};

// The objects through which an application reaches its request. They are used again for
// other requests where nobody has kept one.
struct Kit {
  py::Owned<InputObject> input;
  py::Owned<ResponderObject> responder;
  py::Owned<gateway::RequestInfoObject> info;  // celadon.request
  py::Object early_hints;                      // wsgi.early_hints
  py::Object write;

  // True where all of it could be made; else with an exception.
  [[nodiscard]] bool make() noexcept;
  void attach(Request& request) noexcept;
  // Cuts the objects off. True: nobody else holds one, the kit may be used again.
  [[nodiscard]] bool detach() noexcept;
  // Leaves the objects to who holds them.
  void drop() noexcept;
};

// The head as the protocol needs it: views into `head`.
[[nodiscard]] http::ResponseHead view_head(const HeadState& head) noexcept;
[[nodiscard]] int add_responder_type(PyObject* module) noexcept;

}  // namespace celadon::wsgi
