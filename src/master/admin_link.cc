#include "master/admin_link.h"

#include <sys/socket.h>

#include <cerrno>
#include <charconv>

namespace celadon::master {

net::OwnedFd AdminLink::open() noexcept {
  close();
  int ends[2] = {-1, -1};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) return {};
  fd_ = net::OwnedFd(ends[0]);
  net::OwnedFd theirs(ends[1]);
  if (!loop_.watch(fd_.get(), loop::kRead, *this)) {
    fd_.close();
    return {};
  }
  return theirs;
}

void AdminLink::close() noexcept {
  if (!fd_) return;
  loop_.poller().remove(fd_.get(), *this);
  fd_.close();
}

void AdminLink::on_io(std::uint8_t) noexcept {
  char packet[kPacket];
  const ssize_t n = ::recv(fd_.get(), packet, sizeof packet, MSG_DONTWAIT);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (n <= 0) return close();  // it is gone: the signal of its end follows
  const std::string_view text(packet, static_cast<std::size_t>(n));
  std::uint64_t question = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), question);
  const auto size = static_cast<std::size_t>(end - text.data());
  if (error != std::errc{} || size == text.size() || *end != ' ') return;
  const std::string answer = commands_.obey(question, text.substr(size + 1));
  if (!answer.empty()) reply(question, answer);
}

void AdminLink::reply(std::uint64_t question, std::string_view json) noexcept {
  if (!fd_) return;
  std::string packet = std::to_string(question) + " ";
  packet += json;
  // Who does not read has died, or asked for too much: no reason to wait.
  [[maybe_unused]] const auto sent =
      ::send(fd_.get(), packet.data(), packet.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
}

}  // namespace celadon::master
