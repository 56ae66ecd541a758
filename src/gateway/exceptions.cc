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

namespace {

constexpr int kLongest = 64;  // causes may go in a circle
constexpr int kDeepest = 16;  // of groups in groups

bool was_the_client(PyObject* error, int depth) noexcept;

// A group is its doing where each of its members is.
bool all_were_the_client(PyObject* group, int depth) noexcept {
  const py::Object members(PyObject_GetAttrString(group, "exceptions"));
  if (!members || !PyTuple_Check(members.get()) || depth == kDeepest) return false;
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(members.get()); ++i) {
    if (!was_the_client(PyTuple_GET_ITEM(members.get(), i), depth + 1)) return false;
  }
  return true;
}

bool was_the_client(PyObject* error, int depth) noexcept {
  if (PyErr_GivenExceptionMatches(error, PyExc_BaseExceptionGroup))
    return all_were_the_client(error, depth);
  if (!PyErr_GivenExceptionMatches(error, PyExc_OSError)) return false;
  py::Object each = py::Object::copy(error);
  bool found = false;
  for (int i = 0; each && !found && i < kLongest; ++i) {
    found = PyErr_GivenExceptionMatches(each.get(), exceptions().body_error) ||
            PyErr_GivenExceptionMatches(each.get(), exceptions().client_disconnected);
    each = py::Object(PyException_GetCause(each.get()));
  }
  return found;
}

}  // namespace

bool is_of_client() noexcept {
  const py::Object error = py::take_error();
  const bool found = was_the_client(error.get(), 0);
  PyErr_Clear();
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
