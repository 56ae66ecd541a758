// Calls into OpenSSL. It reads and writes by itself and knows no flag per call, so its
// descriptor does not block in the kernel, and CPython's code around it is told so by a
// timeout of 0 for as long as the call takes.
#include <fcntl.h>

#include "green/hub.h"
#include "green/sockets/call.h"
#include "green/sockets/methods.h"
#include "green/sockets/native.h"
#include "loop/poller.h"

namespace celadon::green::sockets {
namespace {

void stop_blocking(int fd) noexcept {
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags >= 0 && !(flags & O_NONBLOCK)) ::fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

PyObject* attempt(PyObject* socket, const SocketCall& call, PyObject* method, Args args,
                  Py_ssize_t count) noexcept {
  stop_blocking(call.fd());
  const Bracket bracket(socket, call.state());
  // Callbacks of the application (SNI, ALPN, key log) run inside.
  const NoSwitch scope;
  return PyObject_Vectorcall(method, args, static_cast<std::size_t>(count), nullptr);
}

// What the call that failed waits for; 0: it failed for another reason.
std::uint8_t wanted() noexcept {
  if (PyErr_ExceptionMatches(native().want_read)) return loop::kRead;
  return PyErr_ExceptionMatches(native().want_write) ? loop::kWrite : 0;
}

}  // namespace

PyObject* tls_call(PyObject*, Args args, Py_ssize_t count) noexcept {
  const char* late = count < 3 ? nullptr : PyUnicode_AsUTF8(args[1]);
  if (!late) {
    if (!PyErr_Occurred()) {
      PyErr_SetString(PyExc_TypeError, "tls_call(sock, late, method, *args)");
    }
    return nullptr;
  }
  PyObject* socket = args[0];
  SocketCall call(socket);
  if (!call.start()) return nullptr;
  if (call.refuses_to_wait(0)) {
    return PyObject_Vectorcall(args[2], args + 3, static_cast<std::size_t>(count - 3),
                               nullptr);
  }
  while (true) {
    PyObject* result = attempt(socket, call, args[2], args + 3, count - 3);
    if (result) return result;
    const std::uint8_t events = wanted();
    if (events == 0) return nullptr;
    PyErr_Clear();
    if (!call.wait(events, late)) return nullptr;
  }
}

}  // namespace celadon::green::sockets
