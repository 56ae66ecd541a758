#include "net/kernel.h"

#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>

namespace celadon::net::kernel {

ssize_t recv(int fd, std::span<char> into) noexcept {
  return ::recv(fd, into.data(), into.size(), 0);
}

ssize_t send(int fd, std::span<const iovec> pieces, int flags) noexcept {
  flags |= MSG_NOSIGNAL;
  if (pieces.size() == 1) {
    return ::send(fd, pieces[0].iov_base, pieces[0].iov_len, flags);
  }
  msghdr message{};
  message.msg_iov = const_cast<iovec*>(pieces.data());
  message.msg_iovlen = pieces.size();
  return ::sendmsg(fd, &message, flags);
}

// It has no MSG_NOSIGNAL, and an application may have asked for the signal's default.
ssize_t read_file(int file, std::span<char> into, off_t offset) noexcept {
  return ::pread(file, into.data(), into.size(), offset);
}

ssize_t send_file(int fd, int file, off_t& offset, std::size_t count) noexcept {
  sigset_t broken, before;
  sigemptyset(&broken);
  sigaddset(&broken, SIGPIPE);
  ::pthread_sigmask(SIG_BLOCK, &broken, &before);
  const ssize_t sent = ::sendfile(fd, file, &offset, count);
  const int why = errno;
  if (sent < 0 && why == EPIPE && sigismember(&before, SIGPIPE) == 0) {
    const timespec at_once{};
    while (::sigtimedwait(&broken, nullptr, &at_once) < 0 && errno == EINTR) continue;
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  errno = why;
  return sent;
}

void shutdown(int fd, int how) noexcept {
  ::shutdown(fd, how);
}

std::size_t unsent(int fd) noexcept {
  int bytes = 0;
  return ::ioctl(fd, SIOCOUTQ, &bytes) == 0 && bytes > 0
             ? static_cast<std::size_t>(bytes)
             : 0;
}

// The answer to a probe (SO_KEEPALIVE) counts as an acknowledgement there. That of the
// last byte came before it would have been sent again.
std::optional<Nanos> since_acknowledged(int fd) noexcept {
  tcp_info info{};
  socklen_t size = sizeof info;
  if (::getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) < 0) return std::nullopt;
  const Nanos sent = info.tcpi_last_data_sent * kMillisecond;
  const Nanos longest = info.tcpi_rto * kMicrosecond;
  return std::max(info.tcpi_last_ack_recv * kMillisecond, sent - longest);
}

bool is_broken(int fd) noexcept {
  int error = 0;
  socklen_t size = sizeof error;
  return ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0 || error != 0;
}

void close(int fd) noexcept {
  ::close(fd);
}

void reset_on_close(int fd) noexcept {
  const linger hard{1, 0};
  ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
}

void disconnect(int fd) noexcept {
  sockaddr nobody{};
  nobody.sa_family = AF_UNSPEC;
  [[maybe_unused]] const int done = ::connect(fd, &nobody, sizeof nobody);
}

void no_delay(int fd) noexcept {
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

void keep_alive(int fd, int seconds) noexcept {
  if (seconds <= 0) return;
  constexpr int kLongest = 32767;  // the kernel refuses more
  constexpr int kMostProbes = 6;
  constexpr int on = 1;
  const int idle = std::min(seconds, kLongest);
  const int probes = std::min(idle, kMostProbes);
  const int interval = idle / probes;
  ::setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
  ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof interval);
  ::setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
}

int local_name(int fd, sockaddr* into, socklen_t& size) noexcept {
  return ::getsockname(fd, into, &size);
}

bool is_listener(int fd) noexcept {
  int listening = 0;
  socklen_t size = sizeof listening;
  return ::getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) == 0 &&
         listening != 0;
}

int make_ours(int fd) noexcept {
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags < 0 || ::fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0) return -1;
  return ::fcntl(fd, F_SETFD, FD_CLOEXEC);
}

int duplicate(int fd) noexcept {
  return ::fcntl(fd, F_DUPFD_CLOEXEC, 0);
}

int accept(int listener, sockaddr* peer, socklen_t& size) noexcept {
  return ::accept4(listener, peer, &size, SOCK_CLOEXEC | SOCK_NONBLOCK);
}

}  // namespace celadon::net::kernel
