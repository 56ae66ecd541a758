// connect, connect_ex and accept: the calls that need a descriptor which does not
// block.
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cerrno>

#include "green/sockets/call.h"
#include "green/sockets/methods.h"
#include "green/sockets/native.h"
#include "loop/poller.h"
#include "py/error.h"

namespace celadon::green::sockets {
namespace {

// The descriptor does not block in this scope, which may span a wait.
class NonBlocking {
 public:
  NonBlocking(PyObject* socket, const SocketState& state) noexcept
      : socket_(socket), fd_(state.timeout < 0 ? state.fd : -1) {
    set(1);
  }
  ~NonBlocking() {
    if (fd_ < 0) return;
    py::Object error = py::take_error();
    SocketState now;
    if (!read_state(socket_, now)) PyErr_Clear();
    // Closed meanwhile, the number may be another's; set meanwhile, it is the user's.
    if (now.fd == fd_ && now.timeout < 0) set(0);
    py::restore_error(std::move(error));
  }
  NonBlocking(const NonBlocking&) = delete;
  NonBlocking& operator=(const NonBlocking&) = delete;

 private:
  void set(int on) noexcept {
    if (fd_ >= 0) ::ioctl(fd_, FIONBIO, &on);
  }
  PyObject* socket_;
  int fd_;
};

// The errno of a BlockingIOError, which is taken off; -1: another exception stays.
int take_in_progress() noexcept {
  if (!PyErr_ExceptionMatches(PyExc_BlockingIOError)) return -1;
  const py::Object error = py::take_error();
  const py::Object code(PyObject_GetAttrString(error.get(), "errno"));
  return code ? static_cast<int>(PyLong_AsLong(code.get())) : -1;
}

// connect or connect_ex as they are, told not to wait: 0, an errno, or -1 with an
// exception.
int attempt(PyObject* method, PyObject* self, const SocketCall& call,
            PyObject* address) noexcept {
  const Bracket bracket(self, call.state());
  const py::Object result(call_native(method, self, &address, 1));
  if (!result) return take_in_progress();
  return result.get() == Py_None ? 0 : static_cast<int>(PyLong_AsLong(result.get()));
}

int pending_error(int fd) noexcept {
  int error = 0;
  socklen_t size = sizeof error;
  return ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0 ? errno : error;
}

// A Unix listener with a full backlog tells nobody when there is room.
int retry_unix(PyObject* method, PyObject* self, SocketCall& call,
               PyObject* address) noexcept {
  int error = EAGAIN;
  while (error == EAGAIN) {
    if (!call.pause()) return -1;
    error = attempt(method, self, call, address);
  }
  return error;
}

// 0, an errno, or -1 with an exception.
int connect_to(PyObject* method, PyObject* self, SocketCall& call,
               PyObject* wanted) noexcept {
  const py::Object address = resolved(self, wanted);
  if (!address) return -1;
  const NonBlocking scope(self, call.state());
  const int error = attempt(method, self, call, address.get());
  if (error == EAGAIN && family_of(self) == AF_UNIX) {
    return retry_unix(method, self, call, address.get());
  }
  if (error != EINPROGRESS) return error;
  return call.wait(loop::kWrite) ? pending_error(call.fd()) : -1;
}

}  // namespace

PyObject* connect(PyObject* self, PyObject* address) noexcept {
  SocketCall call(self);
  if (!call.start()) return nullptr;
  if (call.refuses_to_wait(0)) {
    const py::Object numbers = resolved(self, address);
    PyObject* args[] = {numbers.get()};
    return numbers ? call_native(native().connect, self, args, 1) : nullptr;
  }
  const int error = connect_to(native().connect, self, call, address);
  if (error < 0) return nullptr;
  return error == 0 ? py::none() : SocketCall::fail(error);
}

PyObject* connect_ex(PyObject* self, PyObject* address) noexcept {
  SocketCall call(self);
  if (!call.start()) return nullptr;
  if (call.refuses_to_wait(0)) {
    const py::Object numbers = resolved(self, address);
    PyObject* args[] = {numbers.get()};
    return numbers ? call_native(native().connect_ex, self, args, 1) : nullptr;
  }
  const int error = connect_to(native().connect_ex, self, call, address);
  if (error >= 0) return PyLong_FromLong(error);
  if (call.late()) {
    PyErr_Clear();
    return PyLong_FromLong(EAGAIN);
  }
  return nullptr;
}

PyObject* accept(PyObject* self, PyObject*) noexcept {
  SocketCall call(self);
  if (!call.start()) return nullptr;
  if (call.refuses_to_wait(0)) return call_native(native().accept, self, nullptr, 0);
  // For good: another process may take the connection that poll saw.
  const int flags = ::fcntl(call.fd(), F_GETFL);
  if (flags >= 0 && !(flags & O_NONBLOCK)) {
    ::fcntl(call.fd(), F_SETFL, flags | O_NONBLOCK);
  }
  if (!call.ready_now(loop::kRead) && !call.wait(loop::kRead)) return nullptr;
  while (true) {
    PyObject* accepted = nullptr;
    {
      const Bracket bracket(self, call.state());
      accepted = call_native(native().accept, self, nullptr, 0);
    }
    if (accepted || !PyErr_ExceptionMatches(PyExc_BlockingIOError)) return accepted;
    PyErr_Clear();
    if (!call.wait(loop::kRead)) return nullptr;
  }
}

}  // namespace celadon::green::sockets
