// environ["celadon.request"]: what the server knows of a request.
#pragma once

#include "py/ref.h"
#include "server/identity.h"

namespace celadon::wsgi {

class Request;

struct RequestInfoObject {
  PyObject_HEAD Request* request;  // null once the request has ended
  server::Identity* identity;      // owned: of a request that has ended
  int status;                      // likewise
};

// Belongs to no request yet.
[[nodiscard]] py::Owned<RequestInfoObject> make_request_info() noexcept;
// The request ends, and someone goes on with the object.
void keep_what_it_was(RequestInfoObject& info) noexcept;
// That of the request that runs in this greenlet; a new reference, None without one.
[[nodiscard]] PyObject* current_request_info() noexcept;
[[nodiscard]] int add_request_info_type(PyObject* module) noexcept;

}  // namespace celadon::wsgi
