#include "base/line_file.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstring>
#include <utility>

namespace celadon {
namespace {

constexpr int kAppend = O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY;
constexpr mode_t kMode = 0644;

// O_NONBLOCK belongs to the open file, which others share: so it is opened anew. A
// terminal or a socket cannot be, or need not.
int reopen_nonblocking(int fd) noexcept {
  const std::string path = "/proc/self/fd/" + std::to_string(fd);
  const int fresh = ::open(path.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
  return fresh >= 0 ? fresh : ::fcntl(fd, F_DUPFD_CLOEXEC, 3);
}

// As many whole lines as fit into `room`, or one that is longer.
std::size_t whole_lines(std::string_view text, std::size_t room) noexcept {
  if (text.size() <= room) return text.size();
  const auto last = text.substr(0, room).rfind('\n');
  if (last != std::string_view::npos) return last + 1;
  const auto end = text.find('\n');
  return end == std::string_view::npos ? text.size() : end + 1;
}

}  // namespace

std::expected<LineFile, Error> LineFile::open(std::string path, int standard) {
  int fd = -1;
  if (path != "-") {
    fd = ::open(path.c_str(), kAppend | O_NONBLOCK, kMode);
  } else {
    struct stat info{};
    if (::fstat(standard, &info) == 0) {
      fd = S_ISFIFO(info.st_mode) || S_ISCHR(info.st_mode)
               ? reopen_nonblocking(standard)
               : ::fcntl(standard, F_DUPFD_CLOEXEC, 3);
    }
  }
  struct stat info{};
  if (fd < 0 || ::fstat(fd, &info) < 0) return std::unexpected(error_from_errno(errno));
  const Kind kind = S_ISSOCK(info.st_mode)                            ? Kind::Socket
                    : S_ISFIFO(info.st_mode) || S_ISCHR(info.st_mode) ? Kind::Pipe
                                                                      : Kind::File;
  return LineFile(fd, std::move(path), kind);
}

LineFile::LineFile(LineFile&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      path_(std::move(other.path_)),
      kind_(other.kind_),
      torn_(other.torn_) {}

void LineFile::close() noexcept {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

bool LineFile::reopen() noexcept {
  if (path_ == "-") return true;
  const int fd = ::open(path_.c_str(), kAppend | O_NONBLOCK, kMode);
  if (fd < 0) return false;
  close();
  fd_ = fd;
  return true;
}

ssize_t LineFile::put(std::string_view first, std::string_view second) noexcept {
  if (kind_ == Kind::File) {
    const std::array<iovec, 2> parts{
        iovec{const_cast<char*>(first.data()), first.size()},
        iovec{const_cast<char*>(second.data()), second.size()}};
    return ::writev(fd_, parts.data(), parts.size());
  }
  // A pipe takes up to PIPE_BUF bytes whole or not at all.
  std::array<char, PIPE_BUF> piece;
  std::string_view out = first;
  if (first.size() < piece.size() && !second.empty()) {
    std::memcpy(piece.data(), first.data(), first.size());
    const std::size_t more = std::min(piece.size() - first.size(), second.size());
    std::memcpy(piece.data() + first.size(), second.data(), more);
    out = {piece.data(), first.size() + more};
  }
  out = out.substr(0, whole_lines(out, PIPE_BUF));
  if (kind_ == Kind::Socket) {
    return ::send(fd_, out.data(), out.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  }
  return ::write(fd_, out.data(), out.size());
}

LineFile::Written LineFile::write(std::string_view first,
                                  std::string_view second) noexcept {
  if (torn_ && ::write(fd_, "\n", 1) == 1) torn_ = false;
  if (first.empty()) std::swap(first, second);
  if (first.empty()) return {};
  ssize_t n = put(first, second);
  while (n < 0 && errno == EINTR) n = put(first, second);
  if (n < 0 && errno == EAGAIN) return {};
  if (n <= 0) return {.failed = true};
  const auto done = static_cast<std::size_t>(n);
  torn_ = kind_ == Kind::File && (done > first.size() ? second[done - first.size() - 1]
                                                      : first[done - 1]) != '\n';
  return {.bytes = done};
}

bool LineFile::wait(int ms) const noexcept {
  pollfd waited{fd_, POLLOUT, 0};
  return ::poll(&waited, 1, ms) > 0;
}

LineFile::Written LineFile::write_all(std::string_view text, int wait_ms) noexcept {
  Written all;
  Patience patience(wait_ms);
  while (!text.empty()) {
    const Written piece = write(text);
    all.bytes += piece.bytes;
    all.failed = piece.failed;
    text.remove_prefix(piece.bytes);
    if (piece.failed || (piece.bytes == 0 && !patience.wait_for(*this))) break;
  }
  return all;
}

bool Patience::wait_for(const LineFile& file) noexcept {
  SystemClock clock;
  if (end_ == kNever) end_ = clock.now() + wait_ms_ * kMillisecond;
  const Nanos left = end_ - clock.now();
  return left > 0 && file.wait(static_cast<int>(left / kMillisecond) + 1);
}

}  // namespace celadon
