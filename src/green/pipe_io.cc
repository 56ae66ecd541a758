#include "green/pipe_io.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "green/hub.h"
#include "green/wait_fd.h"

namespace celadon::green {
namespace {

bool may_block(int fd) noexcept {
  struct stat status{};
  if (::fstat(fd, &status) < 0) return false;
  const bool kind = S_ISFIFO(status.st_mode) || S_ISSOCK(status.st_mode) ||
                    (S_ISCHR(status.st_mode) && ::isatty(fd));
  return kind && !(::fcntl(fd, F_GETFL) & O_NONBLOCK);
}

bool wait_ready(int fd, std::uint8_t events) noexcept {
  Strand& strand = *current_strand();
  if (strand.hub().fd_waits().wait(strand, fd, events, kNever) != Waited::Granted)
    return false;
  if (strand.ready != 0) return true;
  errno = EBADF;
  PyErr_SetFromErrno(PyExc_OSError);
  return false;
}

// Not to be had without blocking, here: the kernel or this kind of file refuses to try.
bool cannot_try(int error) noexcept {
  return error == EOPNOTSUPP || error == EINVAL || error == ENOSYS || error == ESPIPE;
}

// After a try that failed: true means again, with `ready` where a plain call is left.
bool again(int fd, std::uint8_t events, bool& ready) noexcept {
  if (errno == EINTR) return PyErr_CheckSignals() == 0;
  ready = cannot_try(errno);
  if (ready) return wait_until_ready(fd, events) >= 0;
  if (errno == EAGAIN) return wait_ready(fd, events);
  PyErr_SetFromErrno(PyExc_OSError);
  return false;
}

ssize_t try_read(int fd, char* data, std::size_t size, bool ready) noexcept {
  if (ready) return ::read(fd, data, size);
  const iovec part{data, size};
  return ::preadv2(fd, &part, 1, -1, RWF_NOWAIT);
}

ssize_t try_write(int fd, const char* data, std::size_t size, bool ready) noexcept {
  // A pipe that is ready takes so much without blocking.
  if (ready) return ::write(fd, data, std::min<std::size_t>(size, PIPE_BUF));
  const iovec part{const_cast<char*>(data), size};
  return ::pwritev2(fd, &part, 1, -1, RWF_NOWAIT);
}

}  // namespace

PyObject* read_pipe(int fd, Py_ssize_t size) noexcept {
  if (size <= 0 || !can_park() || !may_block(fd)) return py::none();
  bool ready = false;
  while (true) {
    PyObject* bytes = PyBytes_FromStringAndSize(nullptr, size);
    if (!bytes) return nullptr;
    const ssize_t n =
        try_read(fd, PyBytes_AS_STRING(bytes), static_cast<std::size_t>(size), ready);
    if (n >= 0) {
      if (n != size) _PyBytes_Resize(&bytes, n);
      return bytes;
    }
    const int error = errno;
    py::drop(bytes);
    errno = error;
    if (!again(fd, loop::kRead, ready)) return nullptr;
  }
}

PyObject* write_pipe(int fd, const Py_buffer& data) noexcept {
  if (data.len == 0 || !can_park() || !may_block(fd)) return py::none();
  Py_ssize_t done = 0;
  bool ready = false;
  while (done < data.len) {
    const ssize_t n = try_write(fd, static_cast<const char*>(data.buf) + done,
                                static_cast<std::size_t>(data.len - done), ready);
    if (n >= 0) {
      done += n;
      ready = false;
    } else if (!again(fd, loop::kWrite, ready)) {
      return nullptr;
    }
  }
  return PyLong_FromSsize_t(done);
}

PyObject* py_read_pipe(PyObject*, PyObject* args) noexcept {
  int fd = -1;
  Py_ssize_t size = 0;
  if (!PyArg_ParseTuple(args, "in:read", &fd, &size)) return nullptr;
  return read_pipe(fd, size);
}

PyObject* py_write_pipe(PyObject*, PyObject* args) noexcept {
  int fd = -1;
  Py_buffer data;
  if (!PyArg_ParseTuple(args, "iy*:write", &fd, &data)) return nullptr;
  PyObject* result = write_pipe(fd, data);
  PyBuffer_Release(&data);
  return result;
}

}  // namespace celadon::green
