// What a request's task runs: the application's coroutine, and around each step of it
// what the server wants to know of that. To others it looks as that coroutine.
//
// The collector does not know it: what is between a task and its coroutine is no
// garbage before that is over, since the request keeps both until then.
#pragma once

#include "py/ref.h"

namespace celadon::asgi {

class Request;

struct CallObject {
  PyObject_HEAD Request* request;  // null once it has ended
  PyObject* coroutine;             // owned; null before the first step
};

[[nodiscard]] py::Owned<CallObject> make_call(Request& request) noexcept;
[[nodiscard]] int add_call_type(PyObject* module) noexcept;

}  // namespace celadon::asgi
