// recv, recv_into, send and sendall. What the arguments mean is CPython's to say: those
// that do not fit go to its own methods, for the error.
#include <sys/socket.h>

#include <cerrno>
#include <climits>

#include "green/sockets/arguments.h"
#include "green/sockets/call.h"
#include "green/sockets/methods.h"
#include "green/sockets/native.h"
#include "loop/poller.h"

namespace celadon::green::sockets {
namespace {

class Buffer {
 public:
  Buffer() noexcept = default;
  ~Buffer() {
    if (held_) PyBuffer_Release(&view_);
  }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  [[nodiscard]] bool take(PyObject* object, int how) noexcept {
    held_ = PyObject_GetBuffer(object, &view_, how) == 0;
    if (!held_) PyErr_Clear();
    return held_;
  }
  [[nodiscard]] char* data() const noexcept { return static_cast<char*>(view_.buf); }
  [[nodiscard]] Py_ssize_t size() const noexcept { return view_.len; }

 private:
  Py_buffer view_{};
  bool held_ = false;
};

// A blocking socket was asked for all of it: MSG_DONTWAIT would give a part.
bool wants_all(const SocketCall& call, int flags) noexcept {
  return call.blocking() && (flags & MSG_WAITALL) && !(flags & MSG_PEEK) &&
         !call.refuses_to_wait(flags);
}

// Bytes read into `data`; -1 with an exception.
Py_ssize_t receive(SocketCall& call, char* data, Py_ssize_t size, int flags) noexcept {
  const bool all = wants_all(call, flags);
  Py_ssize_t got = 0;
  while (got < size) {
    const ssize_t n =
        ::recv(call.fd(), data + got, static_cast<std::size_t>(size - got),
               flags | MSG_DONTWAIT);
    if (n < 0) {
      if (!call.retry(errno, loop::kRead, flags)) return -1;
      continue;
    }
    got += n;
    if (n == 0 || !all) break;
  }
  return got;
}

PyObject* receive_bytes(SocketCall& call, Py_ssize_t size, int flags) noexcept {
  while (true) {
    PyObject* bytes = PyBytes_FromStringAndSize(nullptr, size);
    if (!bytes || size == 0) return bytes;
    const ssize_t n = ::recv(call.fd(), PyBytes_AS_STRING(bytes),
                             static_cast<std::size_t>(size), flags | MSG_DONTWAIT);
    const int error = errno;
    if (n >= 0) {
      if (n != size) _PyBytes_Resize(&bytes, n);
      return bytes;
    }
    // Nobody keeps a buffer while there is nothing to put in.
    py::drop(bytes);
    if (!call.retry(error, loop::kRead, flags)) return nullptr;
  }
}

PyObject* receive_all_bytes(SocketCall& call, Py_ssize_t size, int flags) noexcept {
  PyObject* bytes = PyBytes_FromStringAndSize(nullptr, size);
  if (!bytes) return nullptr;
  const Py_ssize_t got = receive(call, PyBytes_AS_STRING(bytes), size, flags);
  if (got < 0) {
    py::drop(bytes);
    return nullptr;
  }
  if (got != size) _PyBytes_Resize(&bytes, got);
  return bytes;
}

// Peeking for all leaves what is there, so there is no telling when more came.
bool peeks_for_all(const SocketCall& call, int flags) noexcept {
  return call.blocking() && (flags & MSG_WAITALL) && (flags & MSG_PEEK);
}

struct ReceiveArgs {
  Buffer buffer;
  Py_ssize_t size = 0;
  int flags = 0;
  [[nodiscard]] bool parse(PyObject* const (&bound)[3]) noexcept {
    if (!bound[0] || (bound[1] && !to_size(bound[1], size)) ||
        (bound[2] && !to_flags(bound[2], flags)) ||
        !buffer.take(bound[0], PyBUF_WRITABLE)) {
      return false;
    }
    if (size < 0 || size > buffer.size()) return false;
    if (size == 0) size = buffer.size();
    return true;
  }
};

struct SendArgs {
  Buffer data;
  int flags = 0;
  [[nodiscard]] bool parse(Args args, Py_ssize_t count) noexcept {
    if (count < 1 || count > 2 || PyUnicode_Check(args[0])) return false;
    if (count == 2 && !to_flags(args[1], flags)) return false;
    return data.take(args[0], PyBUF_SIMPLE);
  }
};

// Sends until all is out, or, without `all`, something. -1 with an exception; of a
// failure in the middle only if `all` must be.
Py_ssize_t send_some(SocketCall& call, const char* data, Py_ssize_t size, int flags,
                     bool all, bool or_fail) noexcept {
  Py_ssize_t sent = 0;
  do {
    const ssize_t n =
        ::send(call.fd(), data + sent, static_cast<std::size_t>(size - sent),
               flags | MSG_DONTWAIT);
    if (n >= 0) {
      sent += n;
      if (!all) break;
      continue;
    }
    const int error = errno;
    if (sent > 0 && !or_fail && error != EAGAIN && error != EINTR) break;
    if (!call.retry(error, loop::kWrite, flags)) return -1;
  } while (sent < size);
  return sent;
}

}  // namespace

PyObject* recv(PyObject* self, Args args, Py_ssize_t count) noexcept {
  Py_ssize_t size = 0;
  int flags = 0;
  if (count < 1 || count > 2 || !to_size(args[0], size) || size < 0 ||
      (count == 2 && !to_flags(args[1], flags))) {
    return call_native(native().recv, self, args, count);
  }
  SocketCall call(self);
  if (!call.start()) return nullptr;
  if (flags & MSG_WAITALL) {
    if (peeks_for_all(call, flags))
      return call_native(native().recv, self, args, count);
    if (wants_all(call, flags)) return receive_all_bytes(call, size, flags);
  }
  return receive_bytes(call, size, flags);
}

PyObject* recv_into(PyObject* self, Args args, Py_ssize_t count,
                    PyObject* names) noexcept {
  ReceiveArgs parsed;
  PyObject* bound[3] = {};
  if (!bind_arguments(args, count, names, {"buffer", "nbytes", "flags"}, bound) ||
      !parsed.parse(bound)) {
    return call_native(native().recv_into, self, args, count, names);
  }
  SocketCall call(self);
  if (!call.start()) return nullptr;
  if (peeks_for_all(call, parsed.flags)) {
    return call_native(native().recv_into, self, args, count, names);
  }
  const Py_ssize_t got = receive(call, parsed.buffer.data(), parsed.size, parsed.flags);
  return got < 0 ? nullptr : PyLong_FromSsize_t(got);
}

PyObject* send(PyObject* self, Args args, Py_ssize_t count) noexcept {
  SendArgs parsed;
  if (!parsed.parse(args, count)) return call_native(native().send, self, args, count);
  SocketCall call(self);
  if (!call.start()) return nullptr;
  // To a blocking socket the kernel takes all before it returns; programs count on it.
  const bool all = call.blocking() && !call.refuses_to_wait(parsed.flags);
  const Py_ssize_t sent =
      send_some(call, parsed.data.data(), parsed.data.size(), parsed.flags, all, false);
  return sent < 0 ? nullptr : PyLong_FromSsize_t(sent);
}

PyObject* sendall(PyObject* self, Args args, Py_ssize_t count) noexcept {
  SendArgs parsed;
  if (!parsed.parse(args, count))
    return call_native(native().sendall, self, args, count);
  SocketCall call(self);
  if (!call.start()) return nullptr;
  const Py_ssize_t sent =
      send_some(call, parsed.data.data(), parsed.data.size(), parsed.flags, true, true);
  return sent < 0 ? nullptr : py::none();
}

}  // namespace celadon::green::sockets
