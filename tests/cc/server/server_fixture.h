// A server over real sockets, with an App in C++ and a clock that tests move.
#pragma once

#include <gtest/gtest.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "server/server.h"

namespace celadon::server {

struct NoLog final : LogSink {
  void log(Level, std::string_view line) noexcept override { lines.emplace_back(line); }
  std::vector<std::string> lines;
};

// Keeps exchanges until the test answers them.
struct HoldingApp final : App {
  void on_request(Exchange& x) noexcept override { held.push_back(&x); }
  void on_cancel(Exchange& x) noexcept override { cancelled.push_back(&x); }
  void answer(const std::string& body, net::Leave leave = net::Leave::Now) {
    Exchange* x = std::exchange(held.front(), nullptr);
    held.erase(held.begin());
    http::ResponseHead head;
    head.reason = "OK";
    head.content_length = body.size();
    x->send_head(head, body, {}, Part::Last, leave);
    x->release();
  }
  std::vector<Exchange*> held;
  std::vector<Exchange*> cancelled;
};

class ServerTest : public ::testing::Test {
 protected:
  explicit ServerTest(Settings settings = quiet())
      : server_(loop_, app_, std::move(settings), log_) {
    auto socket = net::ListenSocket::open(*net::parse_bind("127.0.0.1:0"), {});
    port_ = socket->address().port();
    EXPECT_TRUE(server_.add_listener(std::move(*socket)));
  }
  static Settings quiet() {
    Settings s;
    s.date_header = false;
    s.server_header = "";
    s.request_id_header = "";
    return s;
  }
  int connect() {
    sockaddr_in in{};
    in.sin_family = AF_INET;
    in.sin_port = htons(port_);
    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EXPECT_EQ(::connect(fd, reinterpret_cast<sockaddr*>(&in), sizeof in), 0);
    round();
    return fd;
  }
  void round() {
    for (int i = 0; i < 3; ++i) {
      loop_.turn(0);
      loop_.settle();
    }
  }
  void send(int fd, std::string_view text) {
    EXPECT_EQ(::send(fd, text.data(), text.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(text.size()));
    round();
  }
  // The kernel's clock goes on by itself, and by that a client has only just taken its
  // answer: it is waited for once more.
  void outlive_keepalive() {
    for (int i = 0; i < 2; ++i) {
      clock_.advance(76 * kSecond);
      round();
    }
  }
  static std::string receive(int fd) {
    char block[65536];
    const ssize_t n = ::recv(fd, block, sizeof block, MSG_DONTWAIT);
    // The server is to see at once that it was taken.
    const int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
    return n > 0    ? std::string(block, static_cast<std::size_t>(n))
           : n == 0 ? "<eof>"
                    : "";
  }

  // Likewise, all until its end.
  static std::string receive_all(int fd) {
    std::string all;
    for (std::string some = receive(fd); some != "<eof>"; some = receive(fd)) {
      if (some.empty()) return all + "<more>";
      all += some;
    }
    return all;
  }

  ManualClock clock_;
  loop::Loop loop_{loop::make_epoll_poller(), clock_};
  NoLog log_;
  HoldingApp app_;
  Server server_;
  std::uint16_t port_ = 0;
};

}  // namespace celadon::server
