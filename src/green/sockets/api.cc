#include "green/sockets/api.h"

#include <cstring>

#include "green/sockets/methods.h"
#include "green/sockets/native.h"
#include "green/sockets/object.h"
#include "py/type.h"

namespace celadon::green::sockets {
namespace {

struct Replacement {
  PyMethodDef method;         // under the name that socket.socket has
  const char* before;         // the method that it calls
  PyObject* Native::* place;  // where that one is kept
};

constexpr int kFast = METH_FASTCALL;
constexpr int kNamed = METH_FASTCALL | METH_KEYWORDS;

Replacement replacements[] = {
    {{"recv", py::as_method(recv), kFast, nullptr}, "recv", &Native::recv},
    {{"recv_into", py::as_method(recv_into), kNamed, nullptr},
     "recv_into",
     &Native::recv_into},
    {{"send", py::as_method(send), kFast, nullptr}, "send", &Native::send},
    {{"sendall", py::as_method(sendall), kFast, nullptr}, "sendall", &Native::sendall},
    {{"recvfrom", py::as_method(recvfrom), kFast, nullptr},
     "recvfrom",
     &Native::recvfrom},
    {{"recvfrom_into", py::as_method(recvfrom_into), kNamed, nullptr},
     "recvfrom_into",
     &Native::recvfrom_into},
    {{"recvmsg", py::as_method(recvmsg), kFast, nullptr}, "recvmsg", &Native::recvmsg},
    {{"recvmsg_into", py::as_method(recvmsg_into), kFast, nullptr},
     "recvmsg_into",
     &Native::recvmsg_into},
    {{"sendto", py::as_method(sendto), kFast, nullptr}, "sendto", &Native::sendto},
    {{"sendmsg", py::as_method(sendmsg), kFast, nullptr}, "sendmsg", &Native::sendmsg},
    {{"_accept", accept, METH_NOARGS, nullptr}, "_accept", &Native::accept},
    {{"connect", connect, METH_O, nullptr}, "connect", &Native::connect},
    {{"connect_ex", connect_ex, METH_O, nullptr}, "connect_ex", &Native::connect_ex},
    {{"settimeout", settimeout, METH_O, nullptr}, "settimeout", &Native::settimeout},
    {{"setblocking", setblocking, METH_O, nullptr},
     "setblocking",
     &Native::setblocking},
    {{"_real_close", py::as_method(close), kNamed, nullptr}, "close", &Native::close},
    {{"detach", detach, METH_NOARGS, nullptr}, "detach", &Native::detach},
};

const char* doc_of(PyObject* method) noexcept {
  if (!PyObject_TypeCheck(method, &PyMethodDescr_Type)) return nullptr;
  return reinterpret_cast<PyMethodDescrObject*>(method)->d_method->ml_doc;
}

// methods(native_class, socket_class) -> {name: method descriptor}
PyObject* py_methods(PyObject*, PyObject* const* args, Py_ssize_t count) noexcept {
  if (count != 2 || !PyType_Check(args[0]) || !PyType_Check(args[1])) {
    PyErr_SetString(PyExc_TypeError, "methods(native_class, socket_class)");
    return nullptr;
  }
  if (learn_layout(args[0]) < 0) return nullptr;
  py::Object made(PyDict_New());
  if (!made) return nullptr;
  auto* cls = reinterpret_cast<PyTypeObject*>(args[1]);
  for (Replacement& r : replacements) {
    const bool same_name = std::strcmp(r.method.ml_name, r.before) == 0;
    PyObject* before = PyObject_GetAttrString(args[same_name ? 1 : 0], r.before);
    if (!before) return nullptr;
    py::drop(std::exchange(native().*r.place, before));
    r.method.ml_doc = doc_of(before);
    const py::Object descriptor(PyDescr_NewMethod(cls, &r.method));
    if (!descriptor ||
        PyDict_SetItemString(made.get(), r.method.ml_name, descriptor.get()) < 0) {
      return nullptr;
    }
  }
  return made.release();
}

PyObject* py_set_resolver(PyObject*, PyObject* resolve) noexcept {
  py::drop(std::exchange(native().resolve, py::new_ref(resolve)));
  return py::none();
}

PyObject* py_set_tls_errors(PyObject*, PyObject* const* args,
                            Py_ssize_t count) noexcept {
  if (count != 2) {
    PyErr_SetString(PyExc_TypeError, "set_tls_errors(want_read, want_write)");
    return nullptr;
  }
  py::drop(std::exchange(native().want_read, py::new_ref(args[0])));
  py::drop(std::exchange(native().want_write, py::new_ref(args[1])));
  return py::none();
}

PyObject* py_layout_known(PyObject*, PyObject*) noexcept {
  return py::boolean(layout_known());
}

PyObject* py_distrust_layout(PyObject*, PyObject*) noexcept {
  set_layout_known(false);
  return py::none();
}

PyMethodDef functions[] = {
    {"methods", py::as_method(py_methods), METH_FASTCALL,
     "methods(native_class, socket_class) -> {name: descriptor}"},
    {"set_resolver", py_set_resolver, METH_O,
     "Who turns (sock, address) with a host's name into one with a number."},
    {"set_tls_errors", py::as_method(py_set_tls_errors), METH_FASTCALL,
     "The errors by which a TLS call says what it waits for."},
    {"tls_call", py::as_method(tls_call), METH_FASTCALL,
     "tls_call(sock, late, method, *args)\n\nA call into OpenSSL; `late` is the text "
     "of "
     "its TimeoutError."},
    {"layout_known", py_layout_known, METH_NOARGS,
     "Whether the state of socket objects is read directly."},
    {"distrust_layout", py_distrust_layout, METH_NOARGS,
     "Read it through methods from now on: for tests."},
    {nullptr, nullptr, 0, nullptr}};

}  // namespace

int add_to_module(PyObject* module) noexcept {
  return PyModule_AddFunctions(module, functions);
}

}  // namespace celadon::green::sockets
