#include "admin/backlogs.h"

#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <vector>

#include "net/owned_fd.h"

namespace celadon::admin {
namespace {

using Found = std::map<std::uint64_t, Backlog>;

constexpr std::uint32_t kListening = 1U << TCP_LISTEN;

template <class Request>
bool ask(int fd, const Request& request) noexcept {
  struct {
    nlmsghdr header;
    Request request;
  } message{};
  message.header.nlmsg_len = sizeof message;
  message.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
  message.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  message.request = request;
  return ::send(fd, &message, sizeof message, 0) ==
         static_cast<ssize_t>(sizeof message);
}

void add_inet(const nlmsghdr& header, Found& found) {
  const auto& message = *static_cast<const inet_diag_msg*>(NLMSG_DATA(&header));
  found[message.idiag_inode] = {message.idiag_rqueue, message.idiag_wqueue};
}

void add_unix(const nlmsghdr& header, Found& found) {
  const auto& message = *static_cast<const unix_diag_msg*>(NLMSG_DATA(&header));
  const auto* attribute = reinterpret_cast<const nlattr*>(
      static_cast<const char*>(NLMSG_DATA(&header)) + NLMSG_ALIGN(sizeof message));
  auto left = static_cast<int>(header.nlmsg_len - NLMSG_LENGTH(sizeof message));
  while (left >= static_cast<int>(sizeof *attribute) &&
         attribute->nla_len >= sizeof *attribute && attribute->nla_len <= left) {
    if (attribute->nla_type == UNIX_DIAG_RQLEN) {
      const auto* queue = reinterpret_cast<const unix_diag_rqlen*>(attribute + 1);
      found[message.udiag_ino] = {queue->udiag_rqueue, queue->udiag_wqueue};
    }
    const int step = NLA_ALIGN(attribute->nla_len);
    left -= step;
    attribute = reinterpret_cast<const nlattr*>(
        reinterpret_cast<const char*>(attribute) + step);
  }
}

// Until the kernel says that this was all.
template <class Add>
void read_all(int fd, Found& found, Add add) {
  std::vector<char> buffer(32768);
  while (true) {
    const ssize_t n = ::recv(fd, buffer.data(), buffer.size(), 0);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return;
    auto left = static_cast<std::uint32_t>(n);
    for (const auto* header = reinterpret_cast<const nlmsghdr*>(buffer.data());
         NLMSG_OK(header, left); header = NLMSG_NEXT(header, left)) {
      if (header->nlmsg_type == NLMSG_DONE || header->nlmsg_type == NLMSG_ERROR) return;
      add(*header, found);
    }
  }
}

}  // namespace

Found read_backlogs() noexcept {
  Found found;
  const net::OwnedFd fd(
      ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG));
  if (!fd) return found;
  // The kernel answers at once; should it not, nobody waits for it for long.
  const timeval patience{0, 100'000};
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  for (const int family : {AF_INET, AF_INET6}) {
    inet_diag_req_v2 request{};
    request.sdiag_family = static_cast<std::uint8_t>(family);
    request.sdiag_protocol = IPPROTO_TCP;
    request.idiag_states = kListening;
    if (ask(fd.get(), request)) read_all(fd.get(), found, add_inet);
  }
  unix_diag_req request{};
  request.sdiag_family = AF_UNIX;
  request.udiag_states = kListening;
  request.udiag_show = UDIAG_SHOW_RQLEN;
  if (ask(fd.get(), request)) read_all(fd.get(), found, add_unix);
  return found;
}

}  // namespace celadon::admin
