// Takes the place of net/kernel.cc and server/spool.cc.
#include <netinet/in.h>
#include <sys/un.h>

#include <algorithm>
#include <cstddef>

#include "net/kernel.h"
#include "server/spool.h"
#include "sim/kernel.h"
#include "sim/memory.h"

namespace celadon::net::kernel {
namespace {

using sim::Kernel;
using sim::memory::Outside;

template <class Name>
int give_name(const Name& name, sockaddr* into, socklen_t& size) noexcept {
  const auto n = std::min<std::size_t>(size, sizeof name);
  std::copy_n(reinterpret_cast<const char*>(&name), n, reinterpret_cast<char*>(into));
  size = static_cast<socklen_t>(n);
  return 0;
}

// Client n has the address 127.1.0.0 + n.
int name_of(bool unix_socket, std::size_t client, sockaddr* into,
            socklen_t& size) noexcept {
  if (unix_socket) {
    const sa_family_t family = AF_UNIX;
    return give_name(family, into, size);
  }
  sockaddr_in name{};
  name.sin_family = AF_INET;
  name.sin_port = htons(4000);
  name.sin_addr.s_addr = htonl(0x7f010000 + static_cast<std::uint32_t>(client));
  return give_name(name, into, size);
}

}  // namespace

ssize_t recv(int fd, std::span<char> into) noexcept {
  const Outside outside;
  return Kernel::current().recv(fd, into);
}

ssize_t send(int fd, std::span<const iovec> pieces, int) noexcept {
  const Outside outside;
  return Kernel::current().send(fd, pieces);
}

ssize_t send_file(int fd, int file, off_t& offset, std::size_t count) noexcept {
  const Outside outside;
  return Kernel::current().send_file(fd, file, offset, count);
}

ssize_t read_file(int file, std::span<char> into, off_t offset) noexcept {
  const Outside outside;
  return Kernel::current().read_file(file, into, offset);
}

void shutdown(int fd, int how) noexcept {
  const Outside outside;
  Kernel::current().shutdown(fd, how);
}

std::size_t unsent(int fd) noexcept {
  return Kernel::current().unsent(fd);
}

std::optional<Nanos> since_acknowledged(int fd) noexcept {
  return Kernel::current().since_acknowledged(fd);
}

bool is_broken(int fd) noexcept {
  return Kernel::current().is_broken(fd);
}

void close(int fd) noexcept {
  const Outside outside;
  Kernel::current().close(fd);
}

void reset_on_close(int fd) noexcept {
  Kernel::current().reset_on_close(fd);
}
void disconnect(int) noexcept {}  // only of who has forked

void no_delay(int fd) noexcept {
  Kernel::current().no_delay(fd);
}
// What is found by it is a reset to the server.
void keep_alive(int, int) noexcept {}

int local_name(int fd, sockaddr* into, socklen_t& size) noexcept {
  return name_of(Kernel::current().is_unix(fd), 0, into, size);
}

bool is_listener(int fd) noexcept {
  return Kernel::current().is_listener(fd);
}

int make_ours(int) noexcept {
  return 0;
}

// Its applications take no socket.
int duplicate(int) noexcept {
  return -1;
}

int accept(int listener, sockaddr* peer, socklen_t& size) noexcept {
  const Outside outside;
  bool unix_socket = false;
  std::size_t client = 0;
  const int fd = Kernel::current().accept(listener, unix_socket, client);
  if (fd >= 0) name_of(unix_socket, client, peer, size);
  return fd;
}

}  // namespace celadon::net::kernel

namespace celadon::server {

int open_spool(const std::string&) noexcept {
  const sim::memory::Outside outside;
  return sim::Kernel::current().open_spool();
}

bool write_spool(int fd, std::string_view data) noexcept {
  const sim::memory::Outside outside;
  return sim::Kernel::current().write_spool(fd, data);
}

void close_spool(int fd) noexcept {
  const sim::memory::Outside outside;
  sim::Kernel::current().close(fd);
}

}  // namespace celadon::server
