// CPython's own methods of _socket.socket, and what Python code lends to ours.
#pragma once

#include "py/ref.h"

namespace celadon::green::sockets {

// Borrowed; set once by install().
struct Native {
  PyObject* recv = nullptr;
  PyObject* recv_into = nullptr;
  PyObject* send = nullptr;
  PyObject* sendall = nullptr;
  PyObject* recvfrom = nullptr;
  PyObject* recvfrom_into = nullptr;
  PyObject* recvmsg = nullptr;
  PyObject* recvmsg_into = nullptr;
  PyObject* sendto = nullptr;
  PyObject* sendmsg = nullptr;
  PyObject* accept = nullptr;
  PyObject* connect = nullptr;
  PyObject* connect_ex = nullptr;
  PyObject* settimeout = nullptr;
  PyObject* setblocking = nullptr;
  PyObject* close = nullptr;
  PyObject* detach = nullptr;
  // resolve(sock, address): the address with its host as a number.
  PyObject* resolve = nullptr;
  PyObject* want_read = nullptr;   // ssl.SSLWantReadError
  PyObject* want_write = nullptr;  // ssl.SSLWantWriteError
};
[[nodiscard]] Native& native() noexcept;

// method(self, *args), as it was before the patch.
[[nodiscard]] PyObject* call_native(PyObject* method, PyObject* self,
                                    PyObject* const* args, Py_ssize_t count,
                                    PyObject* names = nullptr) noexcept;

// The address with a number for its host's name, where it has one. Null with an
// exception.
[[nodiscard]] py::Object resolved(PyObject* socket, PyObject* address) noexcept;

}  // namespace celadon::green::sockets
