// environ["celadon.request"], and the same in a scope: what the server knows of a
// request.
#pragma once

#include <string_view>

#include "py/ref.h"
#include "server/exchange.h"
#include "server/identity.h"

namespace celadon::green {
class Hub;
}

namespace celadon::gateway {

// A request that is with its application.
class Served {
 public:
  virtual ~Served() = default;
  [[nodiscard]] virtual green::Hub& hub() const noexcept = 0;
  [[nodiscard]] virtual server::Exchange& exchange() noexcept = 0;
  // What its application has of it here, borrowed; null where there is nothing yet.
  [[nodiscard]] virtual PyObject* info() const noexcept = 0;
  // The prefix that its application is mounted at; empty where it is not.
  [[nodiscard]] virtual std::string_view mount() const noexcept = 0;
  // (descriptor, bytes read ahead): from here on the application alone talks to its
  // client, and without a deadline. Null with an exception.
  [[nodiscard]] virtual PyObject* take_socket() noexcept = 0;
};

struct RequestInfoObject {
  PyObject_HEAD Served* request;  // null once the request has ended
  bool kept;                      // of one that has ended:
  int status;
  server::Identity identity;
};

// Belongs to no request yet.
[[nodiscard]] py::Owned<RequestInfoObject> make_request_info() noexcept;
void attach(RequestInfoObject& info, Served& request) noexcept;
// The request ends. What it was is kept where somebody goes on with the object.
void let_go_of(RequestInfoObject& info, bool is_held) noexcept;
// That of the request that runs in this greenlet; a new reference, None without one.
[[nodiscard]] PyObject* current_request_info() noexcept;
[[nodiscard]] int add_request_info_type(PyObject* module) noexcept;

}  // namespace celadon::gateway
