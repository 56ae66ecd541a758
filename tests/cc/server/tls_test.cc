// What a server does where its connections begin with a handshake; the cipher is a toy.
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <string_view>
#include <vector>

#include "../toy_cipher.h"
#include "server_fixture.h"

namespace celadon::server {
namespace {

constexpr std::string_view kGet = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

class TlsServerTest : public ServerTest {
 protected:
  explicit TlsServerTest(Settings settings = quiet())
      : ServerTest(std::move(settings)) {
    server_.set_ciphers(&ciphers_);
  }
  ~TlsServerTest() override {
    for (const int fd : fds_) ::close(fd);
  }
  int meet() {
    fds_.push_back(connect());
    return fds_.back();
  }
  int shake() {
    const int fd = meet();
    send(fd, ToyCipher::kAsk);
    EXPECT_EQ(receive(fd), ToyCipher::kAnswer);
    return fd;
  }
  [[nodiscard]] std::uint64_t closed(Closed why) const {
    return server_.counters().closed[static_cast<std::size_t>(why)];
  }
  ToyCiphers ciphers_;
  std::vector<int> fds_;
};

TEST_F(TlsServerTest, ServesBehindTheHandshake) {
  const int fd = shake();
  for (int i = 0; i < 2; ++i) {
    send(fd, ToyCipher::sealed(kGet));
    ASSERT_EQ(app_.held.size(), 1U);
    EXPECT_TRUE(app_.held.front()->carrier.tls);
    EXPECT_NE(app_.held.front()->connection().cipher, nullptr);
    app_.answer("hello");
    round();
    EXPECT_TRUE(ToyCipher::opened(receive(fd)).ends_with("\r\n\r\nhello"));
  }
}

TEST_F(TlsServerTest, TheFirstRequestMayComeWithTheHandshake) {
  const int fd = meet();
  send(fd, std::string(ToyCipher::kAsk) + ToyCipher::sealed(kGet));
  EXPECT_EQ(app_.held.size(), 1U);
  app_.answer("x");
}

TEST_F(TlsServerTest, WhoSaysNothingCostsNoCipher) {
  meet();
  EXPECT_EQ(ciphers_.made, 0);
  clock_.advance(6 * kSecond);
  round();
  EXPECT_EQ(server_.counters().timeouts_handshake, 1U);
  EXPECT_EQ(receive(fds_.back()), "<eof>");
}

TEST_F(TlsServerTest, AHandshakeHasItsTime) {
  const int fd = meet();
  send(fd, ToyCipher::kAsk.substr(0, 3));
  clock_.advance(4 * kSecond);
  round();
  EXPECT_EQ(receive(fd), "");
  clock_.advance(2 * kSecond);
  round();
  EXPECT_EQ(receive(fd), "<eof>");
  EXPECT_EQ(closed(Closed::Slow), 1U);
}

TEST_F(TlsServerTest, AHandshakeThatFailsIsToldAndEnds) {
  const int fd = meet();
  send(fd, "nonsense");
  EXPECT_EQ(receive(fd), "alert!");
  EXPECT_EQ(receive(fd), "<eof>");
  ::shutdown(fd, SHUT_WR);
  round();
  EXPECT_EQ(closed(Closed::Tls), 1U);
  EXPECT_EQ(server_.load().connections, 0U);
}

TEST_F(TlsServerTest, WhoLeavesInTheMidstOfItIsForgotten) {
  const int fd = meet();
  send(fd, "hel");
  ::shutdown(fd, SHUT_WR);
  round();
  EXPECT_EQ(receive(fd), "<eof>");
  EXPECT_EQ(server_.load().connections, 0U);
}

TEST_F(TlsServerTest, PlainHttpIsToldSoInTheClear) {
  const int fd = meet();
  send(fd, kGet);
  const std::string answer = receive(fd);
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 400 Bad Request\r\n")) << answer;
  EXPECT_NE(answer.find("https"), std::string::npos) << answer;
  EXPECT_EQ(receive(fd), "<eof>");
  EXPECT_TRUE(app_.held.empty());
}

TEST_F(TlsServerTest, HandshakesOfOneTurnAreFew) {
  std::vector<int> many;
  for (int i = 0; i < 12; ++i) many.push_back(meet());
  for (const int fd : many) {
    ASSERT_EQ(::send(fd, ToyCipher::kAsk.data(), ToyCipher::kAsk.size(), 0), 6);
  }
  const auto done = [&] {
    int count = 0;
    for (const int fd : many) count += receive(fd) == ToyCipher::kAnswer ? 1 : 0;
    return count;
  };
  int all = 0;
  for (int turn = 0; turn < 3; ++turn) {
    loop_.turn(0);
    loop_.settle();
    const int some = done();
    EXPECT_LE(some, 4);
    all += some;
  }
  EXPECT_EQ(all, 12) << "each of them had a turn";
}

TEST_F(TlsServerTest, ADrainedServerEndsThoseThatAskNothing) {
  const int fd = shake();
  send(fd, ToyCipher::sealed(kGet));
  app_.answer("last");
  round();
  EXPECT_TRUE(ToyCipher::opened(receive(fd)).ends_with("last"));
  server_.drain();
  round();
  clock_.advance(2 * kSecond);
  round();
  EXPECT_EQ(receive(fd), std::string(1, '\0')) << "it is told of the end";
  EXPECT_EQ(receive(fd), "<eof>");
}

class ProxiedTlsTest : public TlsServerTest {
 protected:
  ProxiedTlsTest() : TlsServerTest(proxied()) {}
  static Settings proxied() {
    Settings s = quiet();
    s.proxy_protocol = net::ProxyMode::V1;
    s.proxy_allow = *net::Networks::parse("*");
    return s;
  }
};

TEST_F(ProxiedTlsTest, TheProxysHeaderComesBeforeTheHandshake) {
  const int fd = meet();
  const std::string header = "PROXY TCP4 192.0.2.1 192.0.2.2 5000 443\r\n";
  send(fd, header + std::string(ToyCipher::kAsk) + ToyCipher::sealed(kGet));
  EXPECT_EQ(receive(fd), ToyCipher::kAnswer);
  ASSERT_EQ(app_.held.size(), 1U);
  EXPECT_EQ(app_.held.front()->connection().peer.text(), "192.0.2.1");
  app_.answer("x");
}

TEST_F(ProxiedTlsTest, TheHandshakeMayComeLaterThanTheHeader) {
  const int fd = meet();
  send(fd, "PROXY TCP4 192.0.2.1 192.0.2.2 5000 443\r\n");
  send(fd, ToyCipher::kAsk);
  EXPECT_EQ(receive(fd), ToyCipher::kAnswer);
}

}  // namespace
}  // namespace celadon::server
