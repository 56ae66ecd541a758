#include "net/listener.h"

#include <netdb.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <algorithm>

#include <cerrno>
#include <climits>
#include <cstddef>
#include <cstring>
#include <utility>

#include "net/kernel.h"

namespace celadon::net {
namespace {

using OpenResult = std::expected<int, Error>;

OpenResult fail(int fd) noexcept {
  const Error error = error_from_errno(errno);
  if (fd >= 0) ::close(fd);
  return std::unexpected(error);
}

OpenResult bind_and_listen(int family, const sockaddr* sa, socklen_t size,
                           const ListenOptions& options) noexcept {
  const int fd = ::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return fail(fd);
  const int on = 1;
  if (family != AF_UNIX) {
    ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    // Accepted sockets inherit it: chunked answers must not wait for an ACK (T22). Not
    // so TCP_USER_TIMEOUT: Linux (6.18) counts from when the peer's window was first
    // full, and ends who reads all the time, but slowly.
    kernel::no_delay(fd);
    kernel::keep_alive(fd, options.keepalive);
    if (options.reuse_port) ::setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  }
  if (family == AF_INET6) {
    const int alone = options.v6_only ? 1 : 0;  // else as the system has it
    ::setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &alone, sizeof alone);
  }
  if (::bind(fd, sa, size) < 0 || ::listen(fd, options.backlog) < 0) return fail(fd);
  return fd;
}

OpenResult open_tcp(const BindTarget& target, const ListenOptions& options) noexcept {
  addrinfo hints{};
  hints.ai_flags = AI_PASSIVE;
  hints.ai_socktype = SOCK_STREAM;
  const bool every = target.host.empty() || target.host == "*";
  if (every) hints.ai_family = AF_INET;
  addrinfo* found = nullptr;
  const std::string port = std::to_string(target.port);
  if (::getaddrinfo(every ? nullptr : target.host.c_str(), port.c_str(), &hints,
                    &found) != 0) {
    return std::unexpected(Error::BadAddress);
  }
  OpenResult result = std::unexpected(Error::BadAddress);
  for (const addrinfo* at = found; at && !result; at = at->ai_next) {
    result = bind_and_listen(at->ai_family, at->ai_addr, at->ai_addrlen, options);
  }
  ::freeaddrinfo(found);
  return result;
}

// A socket file that nobody listens on is left over from a crash and may go.
void remove_stale(const sockaddr_un& un, socklen_t size) noexcept {
  struct stat info{};
  if (::lstat(un.sun_path, &info) < 0 || !S_ISSOCK(info.st_mode)) return;
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return;
  const int r = ::connect(fd, reinterpret_cast<const sockaddr*>(&un), size);
  if (r < 0 && errno == ECONNREFUSED) ::unlink(un.sun_path);
  ::close(fd);
}

OpenResult open_unix(const BindTarget& target, const ListenOptions& options) noexcept {
  const bool abstract = target.kind == BindTarget::Kind::UnixAbstract;
  sockaddr_un un{};
  un.sun_family = AF_UNIX;
  char* name = un.sun_path + (abstract ? 1 : 0);
  if (target.path.size() + (abstract ? 1 : 0) >= sizeof un.sun_path) {
    return std::unexpected(Error::PathTooLong);
  }
  std::ranges::copy(target.path, name);
  const auto size =
      static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + target.path.size() + 1);
  if (!abstract) remove_stale(un, size);
  const mode_t before = ::umask(static_cast<mode_t>(~options.unix_mode & 0777));
  auto result =
      bind_and_listen(AF_UNIX, reinterpret_cast<const sockaddr*>(&un), size, options);
  ::umask(before);
  return result;
}

OpenResult adopt(int fd, const ListenOptions& options) noexcept {
  if (!kernel::is_listener(fd)) return std::unexpected(Error::BadDescriptor);
  if (kernel::make_ours(fd) < 0) return std::unexpected(error_from_errno(errno));
  // Of no effect on a unix socket.
  kernel::no_delay(fd);
  kernel::keep_alive(fd, options.keepalive);
  return fd;
}

// `/run/x.sock` or `@NAME`; empty where it has no name.
std::string path_of(const sockaddr& sa, socklen_t size) {
  constexpr std::size_t kBefore = offsetof(sockaddr_un, sun_path);
  if (size <= kBefore) return {};
  const char* path = reinterpret_cast<const char*>(&sa) + kBefore;
  const std::size_t length = size - kBefore;
  if (*path == '\0') return "@" + std::string(path + 1, length - 1);
  return {path, ::strnlen(path, length)};
}

}  // namespace

std::expected<ListenSocket, Error> ListenSocket::open(
    const BindTarget& target, const ListenOptions& options) noexcept {
  using Kind = BindTarget::Kind;
  OpenResult fd = target.kind == Kind::Tcp  ? open_tcp(target, options)
                  : target.kind == Kind::Fd ? adopt(target.fd, options)
                                            : open_unix(target, options);
  if (!fd) return std::unexpected(fd.error());
  const std::string at = target.kind == Kind::UnixAbstract ? "@" : "";
  ListenSocket socket(*fd, at + target.path);
  socket.backlog_ = options.backlog;
  socket.owns_file_ = target.kind == Kind::UnixPath;
  return socket;
}

ListenSocket::ListenSocket(int fd, std::string path) noexcept
    : fd_(fd), path_(std::move(path)) {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  auto* sa = reinterpret_cast<sockaddr*>(&storage);
  if (kernel::local_name(fd_, sa, size) != 0) return;
  address_ = Address::from_sockaddr(sa, size);
  // Who handed it over has named it.
  if (path_.empty() && address_.family() == Family::Unix) path_ = path_of(*sa, size);
}

ListenSocket::ListenSocket(ListenSocket&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      address_(other.address_),
      path_(std::move(other.path_)),
      backlog_(other.backlog_),
      owns_file_(std::exchange(other.owns_file_, false)) {}

ListenSocket& ListenSocket::operator=(ListenSocket&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(address_, other.address_);
  std::swap(path_, other.path_);
  std::swap(backlog_, other.backlog_);
  std::swap(owns_file_, other.owns_file_);
  return *this;
}

void ListenSocket::close() noexcept {
  if (std::exchange(owns_file_, false)) ::unlink(path_.c_str());
  if (fd_ >= 0) kernel::close(std::exchange(fd_, -1));
}

void ListenSocket::abandon() noexcept {
  owns_file_ = false;
  if (fd_ >= 0) kernel::close(std::exchange(fd_, -1));
}

std::string ListenSocket::describe() const {
  if (address_.family() == Family::Unix) return "unix:" + path_;
  return "http://" + address_.text();
}

Listener::Listener(loop::Loop& loop, ListenSocket socket, Acceptor& acceptor) noexcept
    : loop_(loop), socket_(std::move(socket)), acceptor_(acceptor) {}

Listener::~Listener() {
  stop();
}

std::expected<void, Error> Listener::start() noexcept {
  if (started_) return {};
  Timer::cancel();
  auto added = loop_.watch(socket_.fd(), loop::kRead | loop::kExclusive, *this);
  started_ = added.has_value();
  return added;
}

void Listener::stop() noexcept {
  Timer::cancel();
  if (!started_) return;
  started_ = false;
  if (socket_.fd() >= 0) loop_.poller().remove(socket_.fd(), *this);
}

void Listener::abandon() noexcept {
  started_ = false;
  socket_.abandon();
}

void Listener::on_io(std::uint8_t) noexcept {
  int lost = 0;
  for (int i = 0; i < kAcceptBatch; ++i) {
    switch (accept_one()) {
      case Accepted::One: break;
      case Accepted::Lost: ++lost; break;
      default: return;
    }
  }
  if (lost == kAcceptBatch) pause();  // it does not pass by itself
}

void Listener::accept_queued_and_close() noexcept {
  if (socket_.fd() < 0) return;
  const int most = socket_.backlog() + 1;  // Linux queues one more than is asked for
  Accepted last = Accepted::One;
  for (int i = 0; i < most && last <= Accepted::Lost; ++i) last = accept_one();
  stop();  // also one that was paused, and would start again
  // Without descriptors left those who wait are not refused: another process may take
  // them still.
  if (last != Accepted::Paused) socket_.close();
}

Listener::Accepted Listener::accept_one() noexcept {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  auto* sa = reinterpret_cast<sockaddr*>(&storage);
  const int fd = kernel::accept(socket_.fd(), sa, size);
  if (fd >= 0) {
    switch (acceptor_.on_accept(fd, Address::from_sockaddr(sa, size), *this)) {
      case Acceptor::Next::More: return Accepted::One;
      case Acceptor::Next::Stop: stop(); return Accepted::Refused;
      case Acceptor::Next::Pause: pause(); return Accepted::Paused;
    }
  }
  switch (errno) {
    case EAGAIN: return Accepted::None;
    // The queue keeps the connections meanwhile (T10).
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
    // Nothing listens there any more.
    case EBADF:
    case EINVAL:
    case ENOTSOCK:
      acceptor_.on_accept_error(error_from_errno(errno));
      pause();
      return Accepted::Paused;
    // What the network has to say of the connection that was next: Linux passes any
    // error that its socket has (accept(2), "Error handling").
    default: return Accepted::Lost;
  }
}

void Listener::pause() noexcept {
  stop();
  loop_.arm(*this, loop_.now() + kPause);
}

void Listener::resume() noexcept {
  if (!start()) loop_.arm(*this, loop_.now() + kPause);
}

void Listener::on_timer() noexcept {
  resume();
}

}  // namespace celadon::net
