#include "green/send_file.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "green/wait_fd.h"
#include "loop/poller.h"
#include "py/gil.h"
#include "py/type.h"

namespace celadon::green {
namespace {

constexpr Py_ssize_t kChunk = 64 * 1024;
constexpr Py_ssize_t kMost = 0x7ffff000;  // as the kernel has it, in one call

bool is_blocking_stream(int fd) noexcept {
  int type = 0;
  socklen_t size = sizeof type;
  if (::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) < 0) return false;
  const int flags = ::fcntl(fd, F_GETFL);
  return type == SOCK_STREAM && flags >= 0 && (flags & O_NONBLOCK) == 0;
}

bool is_file(int fd) noexcept {
  struct stat status{};
  return ::fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
}

// What was sent of the next chunk; 0 at the end of the file, -1 with errno.
ssize_t send_chunk(int out, int in, off_t at, char* buffer, Py_ssize_t most) noexcept {
  const py::WithoutGil without;
  const ssize_t size =
      ::pread(in, buffer, static_cast<std::size_t>(std::min(most, kChunk)), at);
  if (size <= 0) return size;
  return ::send(out, buffer, static_cast<std::size_t>(size),
                MSG_DONTWAIT | MSG_NOSIGNAL);
}

bool waits(int error) noexcept {
  return error == EAGAIN || error == EINTR;
}

// The file, whoever closes its number while room is waited for: another file may have
// that then.
class File {
 public:
  explicit File(int fd) noexcept : fd_(fd) {}
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File() {
    if (is_own_) ::close(fd_);
  }

  [[nodiscard]] int fd() const noexcept { return fd_; }
  // False: with an exception.
  [[nodiscard]] bool keep() noexcept {
    if (is_own_) return true;
    const int copy = ::fcntl(fd_, F_DUPFD_CLOEXEC, 0);
    if (copy < 0) {
      PyErr_SetFromErrno(PyExc_OSError);
      return false;
    }
    fd_ = copy;
    is_own_ = true;
    return true;
  }

 private:
  int fd_;
  bool is_own_ = false;
};

// After a try that failed. False: with an exception.
bool may_try_again(int out, File& file) noexcept {
  const int error = errno;
  if (waits(error) && !file.keep()) return false;
  if (error == EINTR) return PyErr_CheckSignals() == 0;
  if (error == EAGAIN) return wait_until_ready(out, loop::kWrite) >= 0;
  errno = error;
  PyErr_SetFromErrno(PyExc_OSError);
  return false;
}

}  // namespace

PyObject* send_file(int out, int in, std::optional<off_t> offset,
                    Py_ssize_t count) noexcept {
  if (count <= 0 || !is_blocking_stream(out) || !is_file(in)) return py::none();
  off_t at = offset ? *offset : ::lseek(in, 0, SEEK_CUR);
  if (at < 0) return py::none();  // the call says what is wrong
  File file(in);
  const auto buffer = std::make_unique<char[]>(kChunk);
  const Py_ssize_t wanted = std::min(count, kMost);
  Py_ssize_t done = 0;
  while (done < wanted) {
    const ssize_t sent = send_chunk(out, file.fd(), at, buffer.get(), wanted - done);
    if (sent == 0 || (sent < 0 && done > 0 && !waits(errno))) break;
    if (sent < 0) {
      if (!may_try_again(out, file)) return nullptr;
      continue;
    }
    done += sent;
    at += sent;
    if (!offset && ::lseek(file.fd(), at, SEEK_SET) < 0) break;
  }
  return PyLong_FromSsize_t(done);
}

}  // namespace celadon::green
