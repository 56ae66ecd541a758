#include "gateway/exceptions.h"

#include "py/error.h"

namespace celadon::gateway {

Exceptions& exceptions() noexcept {
  static Exceptions instance;
  return instance;
}

int add_exceptions(PyObject* module) noexcept {
  Exceptions& e = exceptions();
  e.body_error = PyErr_NewExceptionWithDoc(
      "celadon.BodyError",
      "The request body is malformed, too large, or came too slowly.", PyExc_OSError,
      nullptr);
  e.client_disconnected = PyErr_NewExceptionWithDoc(
      "celadon.ClientDisconnected", "The client left before the request was done.",
      PyExc_ConnectionResetError, nullptr);
  if (!e.body_error || !e.client_disconnected ||
      PyModule_AddObjectRef(module, "BodyError", e.body_error) < 0) {
    return -1;
  }
  return PyModule_AddObjectRef(module, "ClientDisconnected", e.client_disconnected);
}

bool is_of_client() noexcept {
  if (!PyErr_ExceptionMatches(PyExc_OSError)) return false;
  constexpr int kLongest = 64;  // causes may go in a circle
  const py::Object error = py::take_error();
  py::Object each = py::Object::copy(error.get());
  bool found = false;
  for (int i = 0; each && !found && i < kLongest; ++i) {
    found = PyErr_GivenExceptionMatches(each.get(), exceptions().body_error) ||
            PyErr_GivenExceptionMatches(each.get(), exceptions().client_disconnected);
    each = py::Object(PyException_GetCause(each.get()));
  }
  py::restore_error(py::Object::copy(error.get()));
  return found;
}

bool raise_gone() noexcept {
  PyErr_SetString(exceptions().client_disconnected, "the client has left");
  return false;
}

bool raise_body_error(http::Rejection why) noexcept {
  PyErr_SetString(exceptions().body_error, http::rejection_info(why).text.data());
  return false;
}

}  // namespace celadon::gateway
