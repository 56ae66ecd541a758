#include "green/sockets/native.h"

#include <arpa/inet.h>
#include <sys/socket.h>

#include <cstring>
#include <string_view>

#include "green/sockets/object.h"

namespace celadon::green::sockets {
namespace {

// What CPython's own code turns into an address without asking anybody.
bool is_number(int family, std::string_view host) noexcept {
  if (host.empty() || host == "<broadcast>" || host.size() > 255) return true;
  char text[256];
  std::memcpy(text, host.data(), host.size());
  text[host.size()] = 0;
  in6_addr address;
  if (::inet_pton(AF_INET, text, &address) == 1) return true;
  // A scope may follow: fe80::1%eth0.
  return family == AF_INET6 && host.find(':') != std::string_view::npos;
}

bool needs_no_lookup(int family, PyObject* address) noexcept {
  if ((family != AF_INET && family != AF_INET6) || !PyTuple_Check(address) ||
      PyTuple_GET_SIZE(address) < 2) {
    return true;
  }
  PyObject* host = PyTuple_GET_ITEM(address, 0);
  if (!PyUnicode_Check(host)) return !PyBytes_Check(host) && !PyByteArray_Check(host);
  Py_ssize_t size = 0;
  const char* text = PyUnicode_AsUTF8AndSize(host, &size);
  if (!text) {
    PyErr_Clear();
    return true;
  }
  return is_number(family, {text, static_cast<std::size_t>(size)});
}

}  // namespace

Native& native() noexcept {
  static Native instance;
  return instance;
}

PyObject* call_native(PyObject* method, PyObject* self, PyObject* const* args,
                      Py_ssize_t count, PyObject* names) noexcept {
  constexpr Py_ssize_t kMost = 8;
  const Py_ssize_t named = names ? PyTuple_GET_SIZE(names) : 0;
  if (count + named >= kMost) {
    PyErr_SetString(PyExc_TypeError, "too many arguments");
    return nullptr;
  }
  PyObject* all[kMost] = {self};
  for (Py_ssize_t i = 0; i < count + named; ++i) all[i + 1] = args[i];
  return PyObject_Vectorcall(method, all, static_cast<std::size_t>(count) + 1, names);
}

py::Object resolved(PyObject* socket, PyObject* address) noexcept {
  PyObject* resolve = native().resolve;
  const int family = family_of(socket);
  if (family < 0 && PyErr_Occurred()) return {};
  if (!resolve || needs_no_lookup(family, address)) return py::Object::copy(address);
  return py::Object(PyObject_CallFunctionObjArgs(resolve, socket, address, nullptr));
}

}  // namespace celadon::green::sockets
