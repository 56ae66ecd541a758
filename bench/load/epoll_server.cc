// The limit that any server can be held against: the same reads, the end of each head
// found, the same bytes sent with a Date of its own. No routing, no headers, no Python.
//
//   epoll_server PORT
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>
#include <vector>

namespace {

constexpr char kAnswer[] =
    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 14\r\nDate: "
    "Sun, 06 Nov 1994 08:49:37 GMT\r\nServer: celadon\r\n\r\nHello, world!\n";

std::string answer = kAnswer;
std::time_t answer_second = 0;

// The Date line, once a second.
void refresh() {
  const std::time_t now = std::time(nullptr);
  if (now == answer_second) return;
  answer_second = now;
  std::tm tm{};
  ::gmtime_r(&now, &tm);
  char date[30];
  std::strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", &tm);
  answer.replace(answer.find("Date: ") + 6, 29, date, 29);
}

struct Connection {
  std::string rest;
};

bool serve(int fd, Connection& c, char* block, std::size_t size) {
  const ssize_t n = ::recv(fd, block, size, 0);
  if (n <= 0) return n < 0 && errno == EAGAIN;
  std::string_view in(block, static_cast<std::size_t>(n));
  if (!c.rest.empty()) {
    c.rest.append(in);
    in = c.rest;
  }
  std::string out;
  std::size_t heads = 0;
  while (true) {
    const auto end = in.find("\r\n\r\n");
    if (end == std::string_view::npos) break;
    in.remove_prefix(end + 4);
    ++heads;
  }
  refresh();
  if (heads == 1) {
    [[maybe_unused]] const auto r =
        ::send(fd, answer.data(), answer.size(), MSG_NOSIGNAL);
  } else if (heads > 1) {
    for (std::size_t i = 0; i < heads; ++i) out += answer;
    [[maybe_unused]] const auto r = ::send(fd, out.data(), out.size(), MSG_NOSIGNAL);
  }
  c.rest = std::string(in);
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  const int port = argc > 1 ? std::atoi(argv[1]) : 8000;
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  const int on = 1;
  ::setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  ::setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  sockaddr_in in{};
  in.sin_family = AF_INET;
  in.sin_port = htons(static_cast<std::uint16_t>(port));
  in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::bind(listener, reinterpret_cast<sockaddr*>(&in), sizeof in) < 0 ||
      ::listen(listener, 2048) < 0) {
    std::perror("bind");
    return 1;
  }
  const int poller = ::epoll_create1(0);
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = listener;
  ::epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event);
  std::vector<Connection> connections(1 << 16);
  std::vector<char> block(1 << 16);
  epoll_event events[256];
  while (true) {
    const int n = ::epoll_wait(poller, events, 256, -1);
    for (int i = 0; i < n; ++i) {
      int fd = events[i].data.fd;
      if (fd == listener) {
        while ((fd = ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK)) >= 0) {
          event.events = EPOLLIN;
          event.data.fd = fd;
          ::epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event);
          connections[static_cast<std::size_t>(fd)].rest.clear();
        }
      } else if (!serve(fd, connections[static_cast<std::size_t>(fd)], block.data(),
                        block.size())) {
        ::close(fd);
      }
    }
  }
}
