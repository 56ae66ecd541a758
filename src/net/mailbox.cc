#include "net/mailbox.h"

#include <sys/socket.h>

#include <cerrno>
#include <cstring>

namespace celadon::net {
namespace {

// Room for the one descriptor of a message.
union Ancillary {
  cmsghdr header;
  char bytes[CMSG_SPACE(sizeof(int))];
};

// The descriptor of a message; -1: it has none.
int descriptor_of(msghdr& message) noexcept {
  const cmsghdr* control = CMSG_FIRSTHDR(&message);
  if (!control || control->cmsg_level != SOL_SOCKET ||
      control->cmsg_type != SCM_RIGHTS || control->cmsg_len != CMSG_LEN(sizeof(int)))
    return -1;
  int fd = -1;
  std::memcpy(&fd, CMSG_DATA(control), sizeof fd);
  return fd;
}

}  // namespace

std::expected<Mailbox, Error> Mailbox::make() noexcept {
  int ends[2] = {-1, -1};
  constexpr int kType = SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK;
  if (::socketpair(AF_UNIX, kType, 0, ends) < 0)
    return std::unexpected(error_from_errno(errno));
  return Mailbox(ends[0], ends[1]);
}

bool Mailbox::put(int fd, const Note& note) const noexcept {
  Ancillary ancillary{};
  iovec piece{const_cast<std::byte*>(note.data()), note.size()};
  msghdr message{};
  message.msg_iov = &piece;
  message.msg_iovlen = 1;
  message.msg_control = ancillary.bytes;
  message.msg_controllen = sizeof ancillary.bytes;
  cmsghdr* control = CMSG_FIRSTHDR(&message);
  control->cmsg_level = SOL_SOCKET;
  control->cmsg_type = SCM_RIGHTS;
  control->cmsg_len = CMSG_LEN(sizeof fd);
  std::memcpy(CMSG_DATA(control), &fd, sizeof fd);
  ssize_t n = 0;
  do {
    n = ::sendmsg(in_.get(), &message, MSG_NOSIGNAL);
  } while (n < 0 && errno == EINTR);
  return n >= 0;
}

std::optional<OwnedFd> Mailbox::take(Note& note) const noexcept {
  while (true) {
    Ancillary ancillary{};
    iovec piece{note.data(), note.size()};
    msghdr message{};
    message.msg_iov = &piece;
    message.msg_iovlen = 1;
    message.msg_control = ancillary.bytes;
    message.msg_controllen = sizeof ancillary.bytes;
    const ssize_t n = ::recvmsg(out_.get(), &message, MSG_CMSG_CLOEXEC);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return std::nullopt;
    OwnedFd fd(descriptor_of(message));
    // Without one (no descriptor was left to receive it with) its connection is lost.
    if (fd && static_cast<std::size_t>(n) == note.size()) return fd;
  }
}

}  // namespace celadon::net
