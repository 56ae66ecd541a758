#include "server/admission.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "http/h1/parser.h"
#include "http/request_start.h"
#include "net/owned_fd.h"
#include "server/server.h"

namespace celadon::server {
namespace {

// The first requests stay with the application; others wait or are refused.
struct HoldingApp final : App {
  void on_request(Exchange& x) noexcept override { held.push_back(&x); }
  void on_cancel(Exchange&) noexcept override {}
  void end_first() {
    Exchange* x = held.front();
    held.erase(held.begin());
    x->refuse(http::Rejection::AppFailed);
    x->release();
  }
  std::vector<Exchange*> held;
};

struct NoLog final : LogSink {
  void log(Level, std::string_view) noexcept override {}
};

class AdmissionTest : public ::testing::Test {
 protected:
  void serve(Settings settings) {
    settings.request_id_header = "";
    server_ = std::make_unique<Server>(loop_, app_, std::move(settings), log_);
    auto socket = net::ListenSocket::open(*net::parse_bind("127.0.0.1:0"), {});
    port_ = socket->address().port();
    ASSERT_TRUE(server_->add_listener(std::move(*socket)));
  }
  void round() {
    for (int i = 0; i < 3; ++i) {
      loop_.turn(0);
      loop_.settle();
    }
  }
  net::OwnedFd ask(std::string_view path, std::string_view fields = "") {
    sockaddr_in in{};
    in.sin_family = AF_INET;
    in.sin_port = htons(port_);
    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    net::OwnedFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::connect(fd.get(), reinterpret_cast<sockaddr*>(&in), sizeof in), 0);
    round();
    const std::string head = "GET " + std::string(path) + " HTTP/1.1\r\nHost: a\r\n" +
                             std::string(fields) + "\r\n";
    EXPECT_EQ(::send(fd.get(), head.data(), head.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(head.size()));
    round();
    return fd;
  }
  static std::string status(const net::OwnedFd& fd) {
    char block[4096];
    const ssize_t n = ::recv(fd.get(), block, sizeof block, MSG_DONTWAIT);
    return n > 12 ? std::string(block + 9, 3) : "";
  }
  [[nodiscard]] std::string path_of(std::size_t at) const {
    return std::string(app_.held[at]->request().path_text());
  }

  ManualClock clock_;
  loop::Loop loop_{loop::make_epoll_poller(), clock_};
  NoLog log_;
  HoldingApp app_;
  std::unique_ptr<Server> server_;
  std::uint16_t port_ = 0;
};

TEST_F(AdmissionTest, PathsThatGoFirstUseTheReserveAndPassOthers) {
  Settings settings;
  settings.max_concurrent_requests = 2;
  settings.queue_depth = 1;
  settings.priority_paths = {"/health", "/ops/*"};
  serve(settings);
  const auto a = ask("/a");
  const auto b = ask("/b");
  const auto waits = ask("/c");
  const auto refused = ask("/d");
  EXPECT_EQ(status(refused), "503");
  const auto first = ask("/health");  // beyond the limit, at once
  ASSERT_EQ(app_.held.size(), 3U);
  EXPECT_EQ(path_of(2), "/health");
  const auto second = ask("/ops/ping");  // the queue is full, but not for it
  EXPECT_EQ(app_.held.size(), 3U);
  app_.end_first();
  ASSERT_EQ(app_.held.size(), 3U);
  EXPECT_EQ(path_of(2), "/ops/ping");  // before /c, which came earlier
  app_.end_first();
  EXPECT_EQ(app_.held.size(), 2U);  // both places are those of the reserve's limit
  app_.end_first();
  EXPECT_EQ(path_of(1), "/c");
  while (!app_.held.empty()) app_.end_first();
}

TEST_F(AdmissionTest, WhereOneRunsAtATimeThereIsNoReserve) {
  Settings settings;
  settings.max_concurrent_requests = 1;
  settings.priority_paths = {"/health"};
  serve(settings);
  const auto a = ask("/a");
  const auto health = ask("/health");
  EXPECT_EQ(app_.held.size(), 1U);
  app_.end_first();
  EXPECT_EQ(path_of(0), "/health");
  app_.end_first();
}

TEST_F(AdmissionTest, TimeWithTheProxyCountsForTheQueue) {
  Settings settings;
  settings.forwarded_allow = *net::Networks::parse("127.0.0.1");
  settings.queue_timeout = 3 * kSecond;
  settings.max_concurrent_requests = 1;
  serve(settings);
  const auto began = [this](Nanos ago) {
    const Nanos ms = (clock_.wall() - ago) / kMillisecond;
    return "X-Request-Start: t=" + std::to_string(ms) + "\r\n";
  };
  const auto running = ask("/a");
  const auto late = ask("/b", began(4 * kSecond));  // its client gave up long ago
  EXPECT_EQ(status(late), "503");
  const auto soon = ask("/c", began(2 * kSecond));
  EXPECT_EQ(status(soon), "");
  clock_.advance(kSecond + kMillisecond);
  round();
  EXPECT_EQ(status(soon), "503");
  app_.end_first();
}

TEST_F(AdmissionTest, AStrangersClockIsNotBelieved) {
  Settings settings;
  settings.forwarded_allow = *net::Networks::parse("10.0.0.0/8");
  settings.queue_timeout = kSecond;
  serve(settings);
  const auto one = ask("/a", "X-Request-Start: t=1\r\n");
  EXPECT_EQ(app_.held.size(), 1U);
  app_.end_first();
}

TEST(RequestStartTest, UnitsAreToldApartBySize) {
  using http::parse_request_start;
  constexpr Nanos kWhen = 1'700'000'000'250 * kMillisecond;
  const auto near = [](std::optional<Nanos> got) {
    return got && std::abs(*got - kWhen) < kMillisecond;
  };
  for (const char* text : {"t=1700000000.25", "1700000000.25", "t=1700000000250",
                           "1700000000250", "t=1700000000250000"}) {
    EXPECT_TRUE(near(parse_request_start(text))) << text;
  }
  for (const char* bad : {"", "t=", "t=x", "-5", "1e9", "1.2.3", "nan", "inf", " 1",
                          "99999999999999999999999"}) {
    EXPECT_FALSE(parse_request_start(bad)) << bad;
  }
}

TEST(Patience, IsSecondsOrMillisecondsByTheNameOfItsHeader) {
  using http::parse_patience;
  EXPECT_EQ(parse_patience("X-Request-Timeout", "2.5"), 2500 * kMillisecond);
  EXPECT_EQ(parse_patience("X-Envoy-Expected-Rq-Timeout-Ms", "250"),
            250 * kMillisecond);
  for (const char* bad : {"", "0", "-1", "1e3", "5s", "1.2.3", "inf", "99999999999"}) {
    EXPECT_FALSE(parse_patience("X-Request-Timeout", bad)) << bad;
  }
}

}  // namespace
}  // namespace celadon::server
