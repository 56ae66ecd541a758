#include "green/wait_fd.h"

#include <poll.h>

#include <cerrno>

#include "green/hub.h"
#include "green/waiter.h"
#include "py/gil.h"
#include "py/ref.h"
#include "py/type.h"

namespace celadon::green {
namespace {

int poll_now(int fd, int events, int timeout_ms) noexcept {
  pollfd p{
      fd,
      static_cast<short>(((events & 1) ? POLLIN : 0) | ((events & 2) ? POLLOUT : 0)),
      0};
  const int n = ::poll(&p, 1, timeout_ms);
  if (n < 0) return errno == EINTR ? 0 : -1;
  if (p.revents & POLLNVAL) {
    errno = EBADF;
    return -1;
  }
  if (n == 0) return 0;
  int ready = 0;
  if (p.revents & (POLLIN | POLLHUP | POLLERR)) ready |= 1;
  if (p.revents & (POLLOUT | POLLHUP | POLLERR)) ready |= 2;
  return ready & events;
}

int wait_natively(int fd, int events, Nanos deadline) noexcept {
  while (true) {
    const Nanos left = deadline == kNever ? kNever : deadline - monotonic_now();
    int ready = 0;
    {
      const py::WithoutGil gil;
      ready = poll_now(fd, events, loop::to_poll_timeout(left < 0 ? 0 : left));
    }
    if (ready < 0) return kNotOpen;
    if (ready > 0) return ready;
    if (PyErr_CheckSignals() < 0) return kRaised;
    if (left <= 0) return kTimeIsOver;
  }
}

int park_for(int fd, int events, Nanos deadline, ParkReason reason) noexcept {
  if (!can_park()) return wait_natively(fd, events, deadline);
  Strand& strand = *current_strand();
  switch (strand.hub().fd_waits().wait(strand, fd, static_cast<std::uint8_t>(events),
                                       deadline, reason)) {
    case Waited::Interrupted: return kRaised;
    case Waited::TimedOut: return kTimeIsOver;
    case Waited::Granted: break;
  }
  if (strand.ready == 0) {
    errno = EBADF;
    return kNotOpen;
  }
  return strand.ready & events;
}

int raise_for(int came) noexcept {
  if (came == kTimeIsOver) PyErr_SetString(PyExc_TimeoutError, "timed out");
  if (came == kNotOpen) PyErr_SetFromErrno(PyExc_OSError);
  return came > 0 ? came : kRaised;
}

struct Wait {
  int fd = -1;
  int events = 0;
  Nanos deadline = kNever;
  ParkReason reason = ParkReason::Fd;
};

bool read_arguments(PyObject* args, PyObject* kwargs, Wait& out) noexcept {
  static const char* names[] = {"fd", "events", "timeout", "database", nullptr};
  PyObject* file = nullptr;
  PyObject* timeout = Py_None;
  int database = 0;
  long long nanos = -1;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "Oi|Op:wait_fd",
                                   const_cast<char**>(names), &file, &out.events,
                                   &timeout, &database) ||
      !py::parse_seconds(timeout, nanos)) {
    return false;
  }
  out.fd = PyObject_AsFileDescriptor(file);
  if (out.fd < 0) return false;
  if (out.events < 1 || out.events > 3) {
    PyErr_SetString(PyExc_ValueError, "events must be 1 (read), 2 (write) or 3 (both)");
    return false;
  }
  out.deadline = deadline_after(nanos);
  if (database) out.reason = ParkReason::Database;
  return true;
}

}  // namespace

int poll_fd(int fd, int events, Nanos deadline, ParkReason reason) noexcept {
  const int now = poll_now(fd, events, 0);
  if (now < 0) return kNotOpen;
  return now > 0 ? now : park_for(fd, events, deadline, reason);
}

int wait_fd(int fd, int events, Nanos deadline, ParkReason reason) noexcept {
  return raise_for(poll_fd(fd, events, deadline, reason));
}

int wait_until_ready(int fd, int events) noexcept {
  while (true) {
    const int now = poll_now(fd, events, 0);
    if (now != 0) return raise_for(now);
    const int came = raise_for(park_for(fd, events, kNever, ParkReason::Fd));
    if (came < 0) return came;
  }
}

PyObject* py_wait_fd(PyObject*, PyObject* args, PyObject* kwargs) noexcept {
  Wait wait;
  if (!read_arguments(args, kwargs, wait)) return nullptr;
  const int ready = wait_fd(wait.fd, wait.events, wait.deadline, wait.reason);
  return ready < 0 ? nullptr : PyLong_FromLong(ready);
}

PyObject* py_poll_fd(PyObject*, PyObject* args, PyObject* kwargs) noexcept {
  Wait wait;
  if (!read_arguments(args, kwargs, wait)) return nullptr;
  const int came = poll_fd(wait.fd, wait.events, wait.deadline, wait.reason);
  return came == kRaised ? nullptr : PyLong_FromLong(came);
}

PyObject* py_wait_by_poll(PyObject*, PyObject* conn) noexcept {
  static PyObject* const poll_name = PyUnicode_InternFromString("poll");
  while (true) {
    const py::Object state(PyObject_CallMethodNoArgs(conn, poll_name));
    const long wanted = state ? PyLong_AsLong(state.get()) : -1;
    if (wanted == 0) return py::none();
    if (wanted == -1 && PyErr_Occurred()) return nullptr;
    if (wanted != 1 && wanted != 2) {
      PyErr_Format(PyExc_RuntimeError, "poll() gave %ld", wanted);
      return nullptr;
    }
    const int fd = PyObject_AsFileDescriptor(conn);
    if (fd < 0) return nullptr;
    const int events = static_cast<int>(wanted);
    // It has just looked whether there is something to read.
    const bool is_there = events == loop::kWrite && poll_now(fd, events, 0) > 0;
    if (!is_there &&
        raise_for(park_for(fd, events, kNever, ParkReason::Database)) < 0) {
      return nullptr;
    }
  }
}

}  // namespace celadon::green
