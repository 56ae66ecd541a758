#include "gateway/exceptions.h"

#include <algorithm>
#include <string_view>

#include "gateway/text.h"
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

// What frameworks raise at who is to hear that the client has left.
struct Told {
  std::string_view package;
  std::string_view name;
};
constexpr Told kTold[]{
    {"starlette", "ClientDisconnect"},   {"starlette", "WebSocketDisconnect"},
    {"litestar", "WebSocketDisconnect"}, {"falcon", "WebSocketDisconnected"},
    {"blacksheep", "MessageAborted"},    {"blacksheep", "WebSocketDisconnectError"},
    {"channels", "RequestAborted"},      {"django", "RequestAborted"},
};

// Of a class; empty where it is no str.
std::string_view text_of(PyObject* cls, const char* attribute, py::Object& owner) {
  owner.reset(PyObject_GetAttrString(cls, attribute));
  std::string_view text;
  if (!owner || !PyUnicode_Check(owner.get()) || !latin1_view(owner.get(), text))
    PyErr_Clear();
  return text;
}

bool is_told(PyObject* cls) noexcept {
  py::Object name_owner;
  py::Object module_owner;
  const std::string_view name = text_of(cls, "__name__", name_owner);
  const std::string_view module = text_of(cls, "__module__", module_owner);
  const std::string_view package = module.substr(0, module.find('.'));
  return std::ranges::any_of(kTold, [&](const Told& each) {
    return each.name == name && each.package == package;
  });
}

// Also one of a class that was made of it.
bool tells_of_leaving(PyObject* error) noexcept {
  PyObject* classes = Py_TYPE(error)->tp_mro;
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(classes); ++i) {
    if (is_told(PyTuple_GET_ITEM(classes, i))) return true;
  }
  return false;
}

bool was_the_client(PyObject* error, bool has_left, int depth) noexcept;

// A group is its doing where each of its members is.
bool all_were_the_client(PyObject* group, bool has_left, int depth) noexcept {
  const py::Object members(PyObject_GetAttrString(group, "exceptions"));
  if (!members || !PyTuple_Check(members.get()) || depth == kDeepest) return false;
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(members.get()); ++i) {
    if (!was_the_client(PyTuple_GET_ITEM(members.get(), i), has_left, depth + 1))
      return false;
  }
  return true;
}

bool was_the_client(PyObject* error, bool has_left, int depth) noexcept {
  if (PyErr_GivenExceptionMatches(error, PyExc_BaseExceptionGroup))
    return all_were_the_client(error, has_left, depth);
  if (has_left && tells_of_leaving(error)) return true;
  if (!PyErr_GivenExceptionMatches(error, PyExc_OSError)) return false;
  py::Object each = py::Object::copy(error);
  bool found = false;
  for (int i = 0; each && !found && i < kLongest; ++i) {
    found = PyErr_GivenExceptionMatches(each.get(), exceptions().body_error) ||
            PyErr_GivenExceptionMatches(each.get(), exceptions().client_disconnected) ||
            (has_left && tells_of_leaving(each.get()));
    each = py::Object(PyException_GetCause(each.get()));
  }
  return found;
}

}  // namespace

bool is_of_client(bool has_left) noexcept {
  const py::Object error = py::take_error();
  const bool found = was_the_client(error.get(), has_left, 0);
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
