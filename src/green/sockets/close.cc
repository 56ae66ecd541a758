// What changes a socket under those who wait for it.
#include <sys/ioctl.h>

#include "green/hub.h"
#include "green/sockets/call.h"
#include "green/sockets/methods.h"
#include "green/sockets/native.h"

namespace celadon::green::sockets {
namespace {

PyObject* set_and_note(PyObject* method, PyObject* self, PyObject* value) noexcept {
  PyObject* done = call_native(method, self, &value, 1);
  note_timeout_was_set(self);
  return done;
}

bool wake_all(PyObject* self, SocketState& state) noexcept {
  if (!read_state(self, state)) return false;
  if (state.fd >= 0) Hub::on_fd_closing(state.fd);
  return true;
}

}  // namespace

PyObject* settimeout(PyObject* self, PyObject* value) noexcept {
  return set_and_note(native().settimeout, self, value);
}

PyObject* setblocking(PyObject* self, PyObject* value) noexcept {
  return set_and_note(native().setblocking, self, value);
}

// _real_close(self, _ss=_socket.socket): the class is a default kept for the end of the
// interpreter, and ours is kept anyway.
PyObject* close(PyObject* self, Args, Py_ssize_t, PyObject*) noexcept {
  SocketState state;
  if (!wake_all(self, state)) return nullptr;
  return call_native(native().close, self, nullptr, 0);
}

// The descriptor leaves in the mode that its timeout stands for.
PyObject* detach(PyObject* self, PyObject*) noexcept {
  SocketState state;
  if (!wake_all(self, state)) return nullptr;
  int off = 0;
  if (state.fd >= 0 && state.timeout < 0) ::ioctl(state.fd, FIONBIO, &off);
  return call_native(native().detach, self, nullptr, 0);
}

}  // namespace celadon::green::sockets
