// The methods that take the place of socket.socket's own: a greenlet that calls them
// parks where a thread would block; a native thread blocks. Descriptors stay blocking
// in the kernel: each call asks for itself not to.
#pragma once

#include "py/ref.h"

namespace celadon::green::sockets {

using Args = PyObject* const*;

// recv, recv_into, send, sendall: system calls of our own.
PyObject* recv(PyObject* self, Args args, Py_ssize_t count) noexcept;
PyObject* recv_into(PyObject* self, Args args, Py_ssize_t count,
                    PyObject* names) noexcept;
PyObject* send(PyObject* self, Args args, Py_ssize_t count) noexcept;
PyObject* sendall(PyObject* self, Args args, Py_ssize_t count) noexcept;

// Those that carry addresses or control data: CPython's own, told not to wait.
PyObject* recvfrom(PyObject* self, Args args, Py_ssize_t count) noexcept;
PyObject* recvfrom_into(PyObject* self, Args args, Py_ssize_t count,
                        PyObject* names) noexcept;
PyObject* recvmsg(PyObject* self, Args args, Py_ssize_t count) noexcept;
PyObject* recvmsg_into(PyObject* self, Args args, Py_ssize_t count) noexcept;
PyObject* sendto(PyObject* self, Args args, Py_ssize_t count) noexcept;
PyObject* sendmsg(PyObject* self, Args args, Py_ssize_t count) noexcept;
PyObject* accept(PyObject* self, PyObject*) noexcept;

PyObject* connect(PyObject* self, PyObject* address) noexcept;
PyObject* connect_ex(PyObject* self, PyObject* address) noexcept;

PyObject* settimeout(PyObject* self, PyObject* value) noexcept;
PyObject* setblocking(PyObject* self, PyObject* value) noexcept;
PyObject* close(PyObject* self, Args args, Py_ssize_t count, PyObject* names) noexcept;
PyObject* detach(PyObject* self, PyObject*) noexcept;

// tls_call(sock, late, method, *args): a call into OpenSSL that may want to wait.
PyObject* tls_call(PyObject*, Args args, Py_ssize_t count) noexcept;

}  // namespace celadon::green::sockets
