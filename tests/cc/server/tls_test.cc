// What a server does where its connections begin with a handshake; the cipher is a toy.
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <string_view>
#include <utility>
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
  EXPECT_EQ(receive_all(fd), "alert!");
  ::shutdown(fd, SHUT_WR);
  round();
  EXPECT_EQ(closed(Closed::Tls), 1U);
  EXPECT_EQ(server_.load().connections, 0U);
}

TEST_F(TlsServerTest, TL07WhoLeavesBehindItIsToldThatNothingMoreComes) {
  const int fd = shake();
  ::shutdown(fd, SHUT_WR);
  round();
  EXPECT_EQ(receive_all(fd), std::string(1, '\0'));
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

TEST_F(TlsServerTest, TL07PlainHttpIsToldSoInTheClear) {
  const int fd = meet();
  send(fd, kGet);
  const std::string answer = receive_all(fd);
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 400 Bad Request\r\n")) << answer;
  EXPECT_NE(answer.find("https"), std::string::npos) << answer;
  EXPECT_TRUE(answer.ends_with("\n")) << answer;
  EXPECT_TRUE(app_.held.empty());
}

TEST_F(TlsServerTest, SL06HandshakesOfOneTurnAreFew) {
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
  EXPECT_EQ(receive_all(fd), std::string(1, '\0')) << "it is told of the end";
}

TEST_F(TlsServerTest, ASocketUnderTlsIsNotLent) {
  send(shake(), ToyCipher::sealed(kGet));
  ASSERT_EQ(app_.held.size(), 1U);
  Loan loan;
  EXPECT_EQ(app_.held.front()->lend(loan), Sent::Gone);
  EXPECT_FALSE(loan.socket);
  EXPECT_FALSE(app_.held.front()->gone());
  app_.answer("x");
}

class TlsFileTest : public TlsServerTest {
 protected:
  TlsFileTest() {
    char name[] = "/tmp/celadon-tls-XXXXXX";
    file_ = ::mkstemp(name);
    ::unlink(name);
    EXPECT_EQ(::ftruncate(file_, kMost), 0);
  }
  ~TlsFileTest() override { ::close(file_); }
  // The answer to a last request, as far as the kernel takes it: how much that is.
  off_t send_file_to(int fd, off_t size) {
    send(fd,
         ToyCipher::sealed("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"));
    Exchange& x = *std::exchange(app_.held.front(), nullptr);
    app_.held.clear();
    http::ResponseHead head;
    head.reason = "OK";
    head.content_length = static_cast<std::size_t>(size);
    x.send_head(head, {}, {}, Part::More);
    off_t offset = 0;
    Sent sent = Sent::Ok;
    while (offset < size && sent == Sent::Ok) {
      sent = x.send_file(file_, offset, static_cast<std::size_t>(size - offset));
    }
    if (offset == size) x.finish({});
    x.release();
    return offset;
  }
  static constexpr off_t kMost = 64 << 20;
  int file_ = -1;
};

// A cipher takes more than the kernel does, and the end must wait for that.
TEST_F(TlsFileTest, AllOfItHasLeftBeforeTheConnectionEnds) {
  const off_t most = send_file_to(shake(), kMost);
  ASSERT_LT(most, kMost);
  const int fd = shake();
  send_file_to(fd, most);
  std::string sealed;
  for (std::string some = receive(fd); some != "<eof>"; some = receive(fd)) {
    sealed += some;
    round();
  }
  const std::string answer = ToyCipher::opened(sealed);
  const std::size_t body = answer.find("\r\n\r\n") + 4;
  EXPECT_EQ(answer.size() - body, static_cast<std::size_t>(most));
}

// A site with another server that takes all.
struct Others final : Peers {
  bool ending() noexcept override { return false; }
  bool has_other() noexcept override { return true; }
  bool over_share() noexcept override { return false; }
  bool has_room() noexcept override { return true; }
  bool pass(int, const Passage& passage) noexcept override {
    passed.push_back(passage);
    return true;
  }
  std::vector<Passage> passed;
};

// A cipher goes to no other process.
TEST_F(TlsServerTest, ADrainPassesOnWhoHasNotBegunAndEndsOthers) {
  Others others;
  server_.set_peers(&others);
  meet();
  const int idle = shake();
  const int busy = shake();
  send(busy, ToyCipher::sealed(kGet));
  server_.drain();
  round();
  ASSERT_EQ(others.passed.size(), 1U);
  EXPECT_TRUE(others.passed.front().tls);
  app_.answer("last");
  round();
  const std::string answer = ToyCipher::opened(receive_all(busy));
  EXPECT_NE(answer.find("\r\nConnection: close\r\n"), std::string::npos) << answer;
  EXPECT_EQ(receive(idle), "");
  clock_.advance(2 * kSecond);
  round();
  EXPECT_EQ(receive_all(idle), std::string(1, '\0'));
  server_.set_peers(nullptr);
}

class FewHandshakesTest : public TlsServerTest {
 protected:
  FewHandshakesTest() : TlsServerTest(few()) {}
  static Settings few() {
    Settings s = quiet();
    s.tls_handshakes = 2;
    return s;
  }
};

TEST_F(FewHandshakesTest, SL06OthersWaitInLineForTheirs) {
  const int a = meet(), b = meet(), c = meet(), d = meet();
  for (const int fd : {a, b, c, d}) send(fd, "hel");
  EXPECT_EQ(ciphers_.made, 2);
  EXPECT_EQ(server_.load().handshakes, 2U);
  send(a, "lo!");
  EXPECT_EQ(receive(a), ToyCipher::kAnswer);
  EXPECT_EQ(ciphers_.made, 3);
  send(b, "nonsense");
  EXPECT_EQ(receive_all(b), "alert!");
  EXPECT_EQ(ciphers_.made, 4);
  for (const int fd : {c, d}) {
    send(fd, "lo!");
    EXPECT_EQ(receive(fd), ToyCipher::kAnswer);
  }
  EXPECT_EQ(server_.load().handshakes, 0U);
}

TEST_F(FewHandshakesTest, SL06TheLineHasATimeToo) {
  for (int i = 0; i < 4; ++i) send(meet(), "hel");
  EXPECT_EQ(ciphers_.made, 2);
  clock_.advance(6 * kSecond);
  round();
  EXPECT_EQ(server_.counters().timeouts_handshake, 4U);
  EXPECT_EQ(server_.load().handshakes, 0U);
  EXPECT_EQ(server_.load().connections, 0U);
}

// What came while the loop was held is looked at before it is called late.
TEST_F(TlsServerTest, C07NobodyIsLateForWhomThereWasNoTurn) {
  std::vector<int> many;
  for (int i = 0; i < 12; ++i) many.push_back(meet());
  for (const int fd : many) {
    ASSERT_EQ(::send(fd, ToyCipher::kAsk.data(), ToyCipher::kAsk.size(), 0), 6);
  }
  clock_.advance(6 * kSecond);
  for (int i = 0; i < 4; ++i) round();
  for (const int fd : many) EXPECT_EQ(receive(fd), ToyCipher::kAnswer);
  EXPECT_EQ(server_.counters().timeouts_handshake, 0U);
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
  EXPECT_EQ(app_.held.front()->connection().peer.ip_text(), "192.0.2.1");
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
