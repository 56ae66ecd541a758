// Sessions over real sockets, with an App in C++ and a clock that tests move.
#include "server/server.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "server/connection_state.h"
#include "server/due.h"
#include "server_fixture.h"

namespace celadon::server {
namespace {

constexpr std::string_view kGet = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

// A head that leaves alone costs a segment, and the receiver's window with it.
class FileAnswerTest : public ServerTest {
 protected:
  // What the client has of the head before any of the file was sent.
  std::string head_of(std::string_view request, std::uint64_t length) {
    const int fd = connect();
    send(fd, request);
    Exchange* x = std::exchange(app_.held.front(), nullptr);
    app_.held.clear();
    http::ResponseHead head;
    head.reason = "OK";
    head.content_length = length;
    EXPECT_EQ(x->send_head(head, {}, {}, Part::More, net::Leave::WithNext), Sent::Ok);
    std::string got = receive(fd);
    x->abort();
    x->release();
    ::close(fd);
    return got;
  }
};

TEST_F(FileAnswerTest, HeadLeavesWithTheFile) {
  EXPECT_EQ(head_of("GET / HTTP/1.1\r\nHost: a\r\n\r\n", 1000), "");
}

TEST_F(FileAnswerTest, HeadWaitsForNoFileWhereNoneFollows) {
  const std::string whole = "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n";
  EXPECT_EQ(head_of("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", 1000), whole);
  EXPECT_TRUE(head_of("GET / HTTP/1.1\r\nHost: a\r\n\r\n", 0).ends_with("0\r\n\r\n"));
}

// What an application leaves behind may take its time to go.
TEST(DueTest, AResetIsNotAskedForWhileItsRequestIsNotReleased) {
  const Settings settings;
  Situation now;
  now.resets = true;
  now.state = {Input::Last, Output::Idle, Stage::Active};
  EXPECT_EQ(due(now, {}, settings).why, Why::Nothing);
  now.state.stage = Stage::None;
  EXPECT_EQ(due(now, {}, settings).why, Why::Delivery);
}

TEST_F(ServerTest, AnswersAndKeepsTheConnection) {
  const int fd = connect();
  for (int i = 0; i < 3; ++i) {
    send(fd, kGet);
    ASSERT_EQ(app_.held.size(), 1U);
    app_.answer("hi");
    EXPECT_EQ(receive(fd), "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
  }
  EXPECT_EQ(server_.load().in_flight, 0U);
  ::close(fd);
  round();
  EXPECT_EQ(server_.load().connections, 0U);
}

TEST_F(ServerTest, PipelinedAnswersLeaveTogether) {
  const int fd = connect();
  send(fd, std::string(kGet) + std::string(kGet) + std::string(kGet));
  app_.answer("1");
  app_.answer("2");
  EXPECT_EQ(receive(fd), "");
  app_.answer("3");
  const std::string got = receive(fd);
  EXPECT_NE(got.find("1HTTP/1.1"), std::string::npos);
  EXPECT_NE(got.find("2HTTP/1.1"), std::string::npos);
  EXPECT_TRUE(got.ends_with("3"));
  ::close(fd);
}

TEST_F(ServerTest, CorkedAnswersLeaveAtTheEndOfTheTurnIfTheNextOneWaits) {
  const int fd = connect();
  send(fd, std::string(kGet) + std::string(kGet));
  app_.answer("1");
  EXPECT_EQ(receive(fd), "");
  loop_.settle();
  EXPECT_TRUE(receive(fd).ends_with("1"));
  app_.answer("2");
  ::close(fd);
}

struct WritableFlag final : Consumer {
  void on_body() noexcept override {}
  void on_writable() noexcept override { writable = true; }
  void on_gone() noexcept override {}
  bool writable = false;
};

struct SmallBufferTest : ServerTest {
  SmallBufferTest() : ServerTest(small()) {}
  static Settings small() {
    Settings s = quiet();
    s.response_buffer = 100;
    return s;
  }
};

TEST_F(SmallBufferTest, AWriterThatWaitsForCorkedOutputIsWoken) {
  const int fd = connect();
  send(fd, std::string(kGet) + std::string(kGet));
  WritableFlag consumer;
  Exchange* x = std::exchange(app_.held.front(), nullptr);
  app_.held.clear();
  x->set_consumer(&consumer);
  http::ResponseHead head;
  head.reason = "OK";
  const std::string piece(1000, 'x');
  EXPECT_EQ(x->send_head(head, piece, {}, Part::More), Sent::Full);
  EXPECT_EQ(receive(fd), "");
  loop_.settle();
  EXPECT_TRUE(consumer.writable);
  EXPECT_GT(receive(fd).size(), piece.size());
  x->set_consumer(nullptr);
  x->finish();
  x->release();
  app_.answer("2");
  ::close(fd);
}

struct BufferingTest : ServerTest {
  BufferingTest() : ServerTest(buffering()) {}
  static Settings buffering() {
    Settings s = quiet();
    s.request_buffering = true;
    s.body_buffer = 1U << 20;
    return s;
  }
};

TEST_F(BufferingTest, ABodyBehindTheReadAheadIsReadOnceItsTurnHasCome) {
  const int fd = connect();
  send(fd, kGet);
  send(fd, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n" +
               std::string(100'000, 'x'));
  ASSERT_EQ(app_.held.size(), 1U);
  app_.answer("1");
  round();
  ASSERT_EQ(app_.held.size(), 1U);
  EXPECT_EQ(app_.held.front()->body().size(), 100'000U);
  app_.answer("2");
  EXPECT_TRUE(receive(fd).ends_with("2"));
  ::close(fd);
}

TEST_F(BufferingTest, AClientThatResetsInItsBodyLeavesNothing) {
  const int fd = connect();
  send(fd, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nhalf");
  EXPECT_EQ(server_.load().connections, 1U);
  const linger reset{1, 0};
  ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  ::close(fd);
  round();
  EXPECT_EQ(server_.load().connections, 0U);
  EXPECT_TRUE(app_.held.empty());
}

constexpr std::string_view kSwitched = "HTTP/1.1 101 Switching Protocols\r\n\r\n";

Sent open_tunnel(Exchange& x) {
  http::ResponseHead head;
  head.status = 101;
  head.reason = "Switching Protocols";
  return x.open_tunnel(head);
}

std::string take_all(Exchange& x) {
  std::string taken(x.body());
  x.consume_body(taken.size());
  return taken;
}

// Who reads from it would wait for ever.
TEST_F(ServerTest, D18ATunnelBehindTheEndOfFileHasItsEnd) {
  const int fd = connect();
  send(fd, std::string(kGet) + "ahead");
  ::shutdown(fd, SHUT_WR);
  round();
  Exchange& x = *app_.held.front();
  ASSERT_EQ(open_tunnel(x), Sent::Ok);
  EXPECT_EQ(take_all(x), "ahead");
  EXPECT_EQ(x.body_state(), BodyState::Complete);
  EXPECT_EQ(x.send_data("bye", {}), Sent::Ok);
  x.finish();
  x.release();
  round();
  EXPECT_EQ(receive(fd), std::string(kSwitched) + "bye");
  EXPECT_EQ(receive(fd), "<eof>");
  ::close(fd);
}

TEST_F(ServerTest, D18ATunnelEndsWithWhatThePeerSends) {
  const int fd = connect();
  send(fd, kGet);
  Exchange& x = *app_.held.front();
  ASSERT_EQ(open_tunnel(x), Sent::Ok);
  send(fd, kGet);
  EXPECT_EQ(take_all(x), kGet);
  clock_.advance(3600 * kSecond);
  round();
  EXPECT_EQ(x.body_state(), BodyState::Open);
  EXPECT_EQ(server_.counters().timeouts_body, 0U);
  ::shutdown(fd, SHUT_WR);
  round();
  EXPECT_EQ(x.body_state(), BodyState::Complete);
  x.finish();
  x.release();
  round();
  EXPECT_EQ(receive(fd), kSwitched);
  EXPECT_EQ(receive(fd), "<eof>");
  ::close(fd);
}

// Part of what belongs to the tunnel is that of a request, or was thrown away.
TEST_F(ServerTest, D18NoTunnelBeginsInTheMiddle) {
  for (const std::string_view request :
       {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe",
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\nahead"}) {
    const int fd = connect();
    send(fd, request);
    EXPECT_EQ(open_tunnel(*app_.held.front()), Sent::Gone);
    app_.answer("no");
    EXPECT_TRUE(receive(fd).ends_with("no"));
    ::close(fd);
    round();
  }
}

TEST_F(ServerTest, D18ATunnelThatBreaksOffHasNoEnd) {
  const int fd = connect();
  send(fd, kGet);
  Exchange& x = *app_.held.front();
  ASSERT_EQ(open_tunnel(x), Sent::Ok);
  EXPECT_EQ(receive(fd), kSwitched);
  x.abort();
  x.release();
  clock_.advance(kSecond);
  round();
  char byte = 0;
  EXPECT_EQ(::recv(fd, &byte, 1, MSG_DONTWAIT), -1);
  EXPECT_EQ(errno, ECONNRESET);
  ::close(fd);
}

// Segments with bytes that have come. The C library's tcp_info ends before them.
std::uint32_t segments_at(int fd) {
  constexpr std::size_t kDataSegmentsIn = 38;
  std::uint32_t info[64]{};
  socklen_t size = sizeof info;
  EXPECT_EQ(::getsockopt(fd, IPPROTO_TCP, TCP_INFO, info, &size), 0);
  return info[kDataSegmentsIn];
}

TEST_F(ServerTest, MessagesInATunnelLeaveTogether) {
  constexpr auto kHeld = net::Leave::AtTurnEnd;
  const int fd = connect();
  send(fd, kGet);
  Exchange& x = *app_.held.front();
  ASSERT_EQ(open_tunnel(x), Sent::Ok);
  EXPECT_EQ(receive(fd), kSwitched);
  const std::uint32_t before = segments_at(fd);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(x.send_data("message", {}, kHeld), Sent::Ok);
  EXPECT_EQ(receive(fd), "");
  loop_.settle();
  EXPECT_EQ(receive(fd), "messagemessagemessagemessagemessage");
  EXPECT_EQ(segments_at(fd) - before, 1U);

  const std::string large(20'000, 'x');
  EXPECT_EQ(x.send_data("head", {}, kHeld), Sent::Ok);
  EXPECT_EQ(x.send_data(large, {}, kHeld), Sent::Ok);
  EXPECT_EQ(receive(fd), "");
  loop_.settle();
  EXPECT_EQ(receive(fd), "head" + large);
  EXPECT_EQ(x.send_data("head", {}, kHeld), Sent::Ok);
  EXPECT_EQ(x.send_data(large, {}), Sent::Ok);
  EXPECT_EQ(receive(fd), "head" + large);
  EXPECT_EQ(segments_at(fd) - before, 3U);

  // What is much does not wait for more.
  for (int i = 0; i < 3; ++i) EXPECT_EQ(x.send_data(large, {}, kHeld), Sent::Ok);
  EXPECT_EQ(receive(fd), "");
  EXPECT_EQ(x.send_data(large, {}, kHeld), Sent::Ok);
  EXPECT_FALSE(receive(fd).empty());
  x.finish();
  x.release();
  ::close(fd);
}

struct CountingConsumer final : Consumer {
  void on_body() noexcept override { ++bodies; }
  void on_writable() noexcept override {}
  void on_gone() noexcept override { ++gone; }
  int bodies = 0, gone = 0;
};

// Its view may go on for hours (RFC 6455 7.1.1).
class WholeTest : public ServerTest {
 protected:
  // Opens a tunnel whose answer is whole.
  Exchange& finish() {
    send(fd_, kGet);
    Exchange& x = *app_.held.front();
    x.set_consumer(&consumer_);
    EXPECT_EQ(open_tunnel(x), Sent::Ok);
    EXPECT_EQ(x.send_data("bye", {}, net::Leave::AtTurnEnd), Sent::Ok);
    x.finish();
    return x;
  }
  void expect_whole(Exchange& x) {
    EXPECT_FALSE(x.gone());
    EXPECT_EQ(consumer_.gone, 0);
    EXPECT_EQ(x.send_data("more", {}), Sent::Gone);
    x.want_body();
    x.set_consumer(nullptr);
    EXPECT_EQ(server_.load().in_flight, 1U);
    x.release();
    round();
    EXPECT_EQ(server_.load().in_flight, 0U);
    EXPECT_EQ(server_.counters().client_gone, 0U);
  }
  ~WholeTest() override { ::close(fd_); }

  const int fd_ = connect();
  CountingConsumer consumer_;
};

TEST_F(WholeTest, WS08ATunnelEndsBeforeItsRelease) {
  Exchange& x = finish();
  EXPECT_EQ(receive(fd_), std::string(kSwitched) + "bye");
  EXPECT_EQ(receive(fd_), "<eof>");
  send(fd_, "what nobody reads");
  EXPECT_EQ(x.body(), "");
  ::shutdown(fd_, SHUT_WR);
  round();
  EXPECT_EQ(x.body_state(), BodyState::Complete);
  EXPECT_EQ(consumer_.bodies, 1);
  EXPECT_EQ(server_.load().connections, 1U);
  expect_whole(x);
  EXPECT_EQ(server_.load().connections, 0U);
}

TEST_F(WholeTest, WS08ASilentClientIsNotWaitedForLongerBecauseOfItsView) {
  Exchange& x = finish();
  clock_.advance(server_.settings().linger_timeout + kMillisecond);
  round();
  clock_.advance(server_.settings().linger_timeout + kMillisecond);
  round();
  // It is closed: what comes is reset.
  EXPECT_EQ(x.body_state(), BodyState::Failed);
  expect_whole(x);
}

TEST_F(WholeTest, WS08TheReleaseDoesNotProlongItsLinger) {
  Exchange& x = finish();
  EXPECT_EQ(receive(fd_), std::string(kSwitched) + "bye");
  EXPECT_EQ(receive(fd_), "<eof>");
  clock_.advance(server_.settings().linger_timeout - kMillisecond);
  round();
  EXPECT_EQ(x.body_state(), BodyState::Open);
  expect_whole(x);
  EXPECT_EQ(server_.load().connections, 1U);
  clock_.advance(2 * kMillisecond);
  round();
  EXPECT_EQ(server_.load().connections, 0U);
}

TEST_F(WholeTest, WS08AResetBehindItsEndIsNoLoss) {
  Exchange& x = finish();
  EXPECT_EQ(receive(fd_), std::string(kSwitched) + "bye");
  const linger hard{1, 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
  const int fd = ::dup(fd_);
  ::shutdown(fd_, SHUT_RDWR);
  ::close(fd);
  round();
  expect_whole(x);
}

TEST_F(WholeTest, WS08WhatAGivenUpPeerDoesNotTakeIsDropped) {
  send(fd_, kGet);
  Exchange& x = *app_.held.front();
  x.set_consumer(&consumer_);
  EXPECT_EQ(open_tunnel(x), Sent::Ok);
  const std::string much(1U << 20, 'x');
  while (x.send_data(much, {}) != Sent::Full) {
  }
  EXPECT_LT(x.how_far().taken, x.how_far().sent);
  x.give_up();
  EXPECT_TRUE(x.gone());
  EXPECT_EQ(consumer_.gone, 1);
  EXPECT_EQ(server_.counters().timeouts_write, 1U);
  x.set_consumer(nullptr);
  x.release();
  round();
  EXPECT_EQ(server_.load().connections, 0U);
  char block[65536];
  while (::recv(fd_, block, sizeof block, 0) > 0) {
  }
  EXPECT_EQ(errno, ECONNRESET);
}

TEST_F(WholeTest, WS08WhatHasLeftIsNotTakenBackFromAGivenUpPeer) {
  send(fd_, kGet);
  Exchange& x = *app_.held.front();
  x.set_consumer(&consumer_);
  EXPECT_EQ(open_tunnel(x), Sent::Ok);
  EXPECT_EQ(x.send_data("bye", {}, net::Leave::AtTurnEnd), Sent::Ok);
  EXPECT_EQ(x.how_far().sent, kSwitched.size() + 3);
  x.give_up();
  EXPECT_EQ(receive(fd_), std::string(kSwitched) + "bye");
  EXPECT_EQ(receive(fd_), "<eof>");
  expect_whole(x);
}

// To HTTP/1.0, without a length.
TEST_F(WholeTest, S28AnAnswerWithoutALengthEndsBeforeItsRelease) {
  send(fd_, "GET / HTTP/1.0\r\n\r\n");
  Exchange& x = *app_.held.front();
  http::ResponseHead head;
  head.reason = "OK";
  EXPECT_EQ(x.send_head(head, "all", {}, Part::More), Sent::Ok);
  x.finish();
  EXPECT_TRUE(receive(fd_).ends_with("\r\n\r\nall"));
  EXPECT_EQ(receive(fd_), "<eof>");
  x.set_consumer(&consumer_);
  expect_whole(x);
}

// Whoever reads the body of his request behind his answer reads on.
TEST_F(WholeTest, S28ItsRequestMayBeReadBehindIt) {
  send(fd_, "POST / HTTP/1.0\r\nContent-Length: 4\r\n\r\nab");
  Exchange& x = *app_.held.front();
  x.set_consumer(&consumer_);
  http::ResponseHead head;
  head.reason = "OK";
  EXPECT_EQ(x.send_head(head, "all", {}, Part::More), Sent::Ok);
  x.finish();
  send(fd_, "cd");
  EXPECT_EQ(take_all(x), "abcd");
  x.set_consumer(nullptr);
  x.release();
  round();
  EXPECT_TRUE(receive(fd_).ends_with("\r\n\r\nall"));
  EXPECT_EQ(receive(fd_), "<eof>");
}

struct ClosingFlag final : Consumer {
  void on_body() noexcept override {}
  void on_writable() noexcept override {}
  void on_gone() noexcept override {}
  void on_closing(Closing) noexcept override { ++closing; }
  int closing = 0;
};

TEST_F(ServerTest, D22ATunnelThatIsOpenedInADrainHearsOfIt) {
  const int fd = connect();
  send(fd, kGet);
  server_.drain();
  ClosingFlag consumer;
  Exchange& x = *app_.held.front();
  x.set_consumer(&consumer);
  ASSERT_EQ(open_tunnel(x), Sent::Ok);
  EXPECT_EQ(consumer.closing, 1);
  x.set_consumer(nullptr);
  x.finish();
  x.release();
  ::close(fd);
}

// What the application says on the socket is all that the client gets.
TEST_F(ServerTest, WS12ALentSocketIsTheApplicationsUntilItReturns) {
  const int fd = connect();
  send(fd, std::string(kGet) + "ahead");
  Exchange& x = *app_.held.front();
  Loan loan;
  ASSERT_EQ(x.lend(loan), Sent::Ok);
  EXPECT_EQ(loan.ahead, "ahead");
  EXPECT_TRUE(x.lent());
  send(fd, "more");
  EXPECT_EQ(receive(loan.socket.get()), "more");
  clock_.advance(3600 * kSecond);
  round();
  EXPECT_EQ(x.send_data("the server's", {}), Sent::Ok);
  EXPECT_EQ(::send(loan.socket.get(), "bye", 3, MSG_NOSIGNAL), 3);
  ::fcntl(loan.socket.get(), F_SETFL, 0);
  x.finish();
  x.release();
  round();
  EXPECT_EQ(receive(fd), "bye");
  EXPECT_EQ(receive(fd), "<eof>");
  EXPECT_NE(::fcntl(loan.socket.get(), F_GETFL) & O_NONBLOCK, 0);
  // It lingers, as ever: what the client still sends destroys nothing.
  send(fd, "late");
  EXPECT_EQ(server_.load().connections, 1U);
  ::close(fd);
  round();
  EXPECT_EQ(server_.load().connections, 0U);
  EXPECT_EQ(receive(loan.socket.get()), "<eof>");
}

// Whoever has the socket hears of the reset, and nobody else.
TEST_F(ServerTest, WS12AResetIsForWhoHasTheSocket) {
  const int fd = connect();
  send(fd, kGet);
  Exchange& x = *app_.held.front();
  Loan loan;
  ASSERT_EQ(x.lend(loan), Sent::Ok);
  const linger hard{1, 0};
  ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
  ::close(fd);
  clock_.advance(3600 * kSecond);
  round();
  EXPECT_FALSE(x.gone());
  char byte = 0;
  EXPECT_EQ(::recv(loan.socket.get(), &byte, 1, MSG_DONTWAIT), -1);
  EXPECT_EQ(errno, ECONNRESET);
  x.release();
  round();
  EXPECT_EQ(server_.load().connections, 0U);
}

// Who goes on to read from it would wait for ever, should its client never leave.
TEST_F(ServerTest, WS12ALentSocketEndsWithItsConnection) {
  const int fd = connect();
  send(fd, kGet);
  Exchange& x = *app_.held.front();
  Loan loan;
  ASSERT_EQ(x.lend(loan), Sent::Ok);
  x.abort();
  x.release();
  clock_.advance(3600 * kSecond);
  round();
  EXPECT_EQ(server_.load().connections, 0U);
  EXPECT_EQ(receive(loan.socket.get()), "<eof>");
  EXPECT_EQ(receive(fd), "<eof>");
  ::close(fd);
}

TEST_F(ServerTest, WS12NoSocketIsLentInTheMiddle) {
  for (const std::string_view request :
       {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe",
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\nahead"}) {
    const int fd = connect();
    send(fd, request);
    Loan loan;
    EXPECT_EQ(app_.held.front()->lend(loan), Sent::Gone);
    EXPECT_FALSE(app_.held.front()->lent());
    app_.answer("no");
    EXPECT_TRUE(receive(fd).ends_with("no"));
    ::close(fd);
    round();
  }
}

// It goes by as it comes, and no more of it than anybody takes.
TEST_F(BufferingTest, D18ATunnelIsNotCollected) {
  const int fd = connect();
  send(fd, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nfirst");
  Exchange& x = *app_.held.front();
  ASSERT_EQ(open_tunnel(x), Sent::Ok);
  constexpr int kPatience = 100'000;  // rounds
  const std::size_t most = server_.settings().body_buffer;
  std::string_view left = "second";
  const std::string much(3 * most, 'x');
  const auto go_on = [&] {
    const ssize_t n = ::send(fd, left.data(), left.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n > 0) left.remove_prefix(static_cast<std::size_t>(n));
    round();
  };
  go_on();
  EXPECT_EQ(x.body(), "firstsecond");
  left = much;
  for (int i = 0; i < kPatience && x.body().size() < most; ++i) go_on();
  EXPECT_GE(x.body().size(), most);
  EXPECT_LE(x.body().size(), most + Server::kScratch);
  std::size_t taken = 0;
  for (int i = 0; i < kPatience && taken < 11 + much.size(); ++i) {
    go_on();
    taken += take_all(x).size();
  }
  EXPECT_EQ(taken, 11 + much.size());
  EXPECT_LT(x.spool(), 0);
  x.finish();
  x.release();
  ::close(fd);
}

TEST_F(ServerTest, HeldAnswersLeaveAtTheEndOfTheTurn) {
  const int one = connect();
  const int two = connect();
  send(one, kGet);
  send(two, kGet);
  app_.answer("1", net::Leave::AtTurnEnd);
  app_.answer("2", net::Leave::AtTurnEnd);
  EXPECT_EQ(receive(one) + receive(two), "");
  loop_.settle();
  EXPECT_TRUE(receive(one).ends_with("1"));
  EXPECT_TRUE(receive(two).ends_with("2"));
  // They are idle connections like any other.
  send(one, kGet);
  app_.answer("3");
  EXPECT_TRUE(receive(one).ends_with("3"));
  outlive_keepalive();
  EXPECT_EQ(receive(one) + receive(two), "<eof><eof>");
  ::close(one);
  ::close(two);
}

TEST_F(ServerTest, APieceThatIsNotTheLastIsNotHeld) {
  const int fd = connect();
  send(fd, kGet);
  Exchange* x = std::exchange(app_.held.front(), nullptr);
  app_.held.clear();
  http::ResponseHead head;
  head.reason = "OK";
  head.content_length = 2;
  EXPECT_EQ(x->send_head(head, "1", {}, Part::More, net::Leave::AtTurnEnd), Sent::Ok);
  EXPECT_TRUE(receive(fd).ends_with("\r\n\r\n1"));
  EXPECT_EQ(x->send_data("2", {}, net::Leave::AtTurnEnd),
            Sent::Ok);  // complete by its length
  EXPECT_EQ(receive(fd), "");
  loop_.settle();
  EXPECT_EQ(receive(fd), "2");
  x->finish();
  x->release();
  ::close(fd);
}

TEST_F(ServerTest, AnAnswerIsHeldForAMillisecondAtMost) {
  const int one = connect();
  const int two = connect();
  send(one, kGet);
  send(two, kGet);
  app_.answer("1", net::Leave::AtTurnEnd);
  clock_.advance(2 * kMillisecond);
  static_cast<void>(loop_.fresh_now());
  EXPECT_EQ(receive(one), "");
  app_.answer("2", net::Leave::AtTurnEnd);
  EXPECT_TRUE(receive(one).ends_with("1"));
  EXPECT_TRUE(receive(two).ends_with("2"));
  ::close(one);
  ::close(two);
}

TEST_F(ServerTest, AHeldAnswerIsNotHeldPastTheEndOfItsConnection) {
  const int fd = connect();
  send(fd, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  app_.answer("1", net::Leave::AtTurnEnd);
  EXPECT_TRUE(receive(fd).ends_with("1"));
  ::close(fd);
}

TEST_F(ServerTest, TimersRunOnTheClock) {
  const int silent = connect();
  const int slow = connect();
  const int kept = connect();
  send(slow, "GET /");
  send(kept, kGet);
  app_.answer("x");
  receive(kept);
  clock_.advance(10 * kSecond);
  round();
  EXPECT_EQ(receive(silent), "<eof>");
  EXPECT_TRUE(receive(slow).starts_with("HTTP/1.1 408"));
  EXPECT_EQ(receive(kept), "");
  outlive_keepalive();
  EXPECT_EQ(receive(kept), "<eof>");
  EXPECT_EQ(server_.counters().timeouts_header, 2U);
  EXPECT_EQ(server_.counters().timeouts_keepalive, 1U);
  for (const int fd : {silent, slow, kept}) ::close(fd);
}

TEST_F(ServerTest, ARequestWithTheApplicationHasNoReadDeadline) {
  const int fd = connect();
  send(fd, kGet);
  clock_.advance(1000 * kSecond);
  round();
  app_.answer("late");
  EXPECT_TRUE(receive(fd).ends_with("late"));
  ::close(fd);
}

TEST_F(ServerTest, SlowBodiesFailByRateOverEachPeriod) {
  const int fd = connect();
  send(fd, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n");
  Exchange& x = *app_.held.front();
  for (int period = 0; period < 3; ++period) {
    send(fd, std::string(5000, 'x'));
    clock_.advance(10 * kSecond);
    round();
    EXPECT_EQ(x.body_state(), BodyState::Open);
  }
  send(fd, std::string(4999, 'x'));
  clock_.advance(10 * kSecond);
  round();
  EXPECT_EQ(x.body_state(), BodyState::Failed);
  EXPECT_EQ(x.body_rejection(), http::Rejection::SlowBody);
  x.refuse(x.body_rejection());
  x.release();
  EXPECT_TRUE(receive(fd).starts_with("HTTP/1.1 408"));
  ::close(fd);
}

TEST_F(ServerTest, ABodyHasBackPressure) {
  const int fd = connect();
  send(fd, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n");
  Exchange& x = *app_.held.front();
  std::size_t taken = 0;
  std::size_t sent = 0;
  const std::string block(50000, 'x');
  while (taken < 1000000) {
    if (sent < 1000000) {
      const ssize_t n =
          ::send(fd, block.data(), block.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
      if (n > 0) sent += static_cast<std::size_t>(n);
    }
    round();
    EXPECT_LE(x.body().size(), 64U * 1024);
    const std::size_t some = std::min<std::size_t>(x.body().size(), 10000);
    x.consume_body(some);
    taken += some;
    x.want_body();
  }
  EXPECT_EQ(x.body_state(), BodyState::Complete);
  app_.answer("ok");
  ::close(fd);
}

TEST_F(ServerTest, AClientThatResetsIsNoticedAndTheExchangeLivesOn) {
  struct Gone final : Consumer {
    void on_body() noexcept override {}
    void on_writable() noexcept override {}
    void on_gone() noexcept override { ++gone; }
    int gone = 0;
  } consumer;
  const int fd = connect();
  send(fd, kGet);
  Exchange& x = *app_.held.front();
  x.set_consumer(&consumer);
  const linger hard{1, 0};
  ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
  ::close(fd);
  round();
  EXPECT_EQ(consumer.gone, 1);
  EXPECT_TRUE(x.gone());
  EXPECT_EQ(server_.load().connections, 1U);
  x.set_consumer(nullptr);
  app_.answer("nobody hears");
  round();
  EXPECT_EQ(server_.load().connections, 0U);
  EXPECT_EQ(server_.counters().client_gone, 1U);
}

struct LastFinished final : Meter {
  void on_finished(const Finished& request) noexcept override {
    duration = request.duration;
    first_byte = request.first_byte;
  }
  void on_slow(std::string_view) noexcept override {}
  Nanos duration = 0;
  Nanos first_byte = 0;
};

http::ResponseHead empty_head() {
  http::ResponseHead head;
  head.reason = "OK";
  head.content_length = 0;
  return head;
}

TEST_F(ServerTest, WhatNeverLeftHasNoFirstByte) {
  LastFinished meter;
  server_.set_meter(&meter);
  const int fd = connect();
  send(fd, kGet);
  Exchange& x = *app_.held.front();
  const linger hard{1, 0};
  ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
  ::close(fd);
  round();
  clock_.advance(kSecond);
  EXPECT_EQ(x.send_whole(empty_head(), {}, {}), Sent::Gone);
  x.release();
  EXPECT_EQ(meter.first_byte, kNever);
  EXPECT_EQ(meter.duration, kSecond);
}

TEST_F(ServerTest, WhatComesBeforeItsReleaseIsNotTimeOfAnAnswerThatHasLeft) {
  LastFinished meter;
  server_.set_meter(&meter);
  const int fd = connect();
  send(fd, kGet);
  Exchange& x = *app_.held.front();
  clock_.advance(kSecond);
  EXPECT_EQ(x.send_whole(empty_head(), {}, {}), Sent::Ok);
  x.delay_release(loop_.fresh_now());
  clock_.advance(kSecond);
  x.release();
  EXPECT_EQ(meter.first_byte, kSecond);
  EXPECT_EQ(meter.duration, kSecond);
  EXPECT_EQ(loop_.now(), clock_.now());
  ::close(fd);
}

TEST_F(ServerTest, DrainAnswersWhatIsUnderWayAndClosesIdleOnesLater) {
  const int busy = connect();
  const int idle = connect();
  send(idle, kGet);
  app_.answer("x");
  receive(idle);
  send(busy, kGet);
  server_.drain();
  app_.answer("last");
  const std::string got = receive(busy);
  EXPECT_NE(got.find("Connection: close"), std::string::npos);
  EXPECT_EQ(receive(idle), "");
  clock_.advance(2 * kSecond);
  round();
  EXPECT_EQ(receive(idle), "<eof>");
  ::close(busy);
  ::close(idle);
}

TEST_F(ServerTest, CancelReachesTheApplication) {
  const int fd = connect();
  send(fd, kGet);
  server_.cancel_requests();
  EXPECT_EQ(app_.cancelled.size(), 1U);
  app_.answer("x");
  ::close(fd);
}

TEST_F(ServerTest, OutputThatNobodyTakesIsReset) {
  const int fd = connect();
  send(fd, kGet);
  app_.answer(std::string(30 << 20, 'x'));
  clock_.advance(30 * kSecond);
  round();
  while (server_.counters().timeouts_write == 0) {
    clock_.advance(30 * kSecond);
    round();
  }
  EXPECT_EQ(server_.load().connections, 0U);
  ::close(fd);
}

// --- the machines of a connection ---

template <class State, std::size_t kCount, class Table>
int count_edges(const Table& table) {
  int found = 0;
  for (std::size_t from = 0; from < kCount; ++from) {
    for (std::size_t to = 0; to < kCount; ++to) {
      if (table.has(static_cast<State>(from), static_cast<State>(to))) ++found;
    }
  }
  return found;
}

TEST(ConnectionStates, TheTablesHoldTheirEdgesAndNoOther) {
  EXPECT_EQ((count_edges<Input, kInputs>(kInputTable)), std::ssize(kInputEdges));
  EXPECT_EQ((count_edges<Output, kOutputs>(kOutputTable)), std::ssize(kOutputEdges));
  EXPECT_EQ((count_edges<Stage, kStages>(kStageTable)), std::ssize(kStageEdges));
}

template <class Each>
void for_each_state(Each each) {
  for (std::size_t i = 0; i < kInputs; ++i) {
    for (std::size_t o = 0; o < kOutputs; ++o) {
      for (std::size_t s = 0; s < kStages; ++s) {
        each(ConnectionState{static_cast<Input>(i), static_cast<Output>(o),
                             static_cast<Stage>(s)});
      }
    }
  }
}

TEST(ConnectionStates, WhatGoesTogether) {
  int legal = 0;
  for_each_state([&](ConnectionState s) {
    if (!is_legal(s)) return;
    ++legal;
    if (s.over()) return;
    // While requests may come our end is open; one that lingers has none at hand.
    EXPECT_FALSE(s.output == Output::Ended && s.input == Input::Open);
    EXPECT_FALSE(s.lingers() && s.stage != Stage::None && s.stage != Stage::Whole);
  });
  EXPECT_EQ(legal, 59);
  EXPECT_TRUE(is_legal({}));
}

TEST(ConnectionStates, EveryStateHasADeadlineOrWaitsForTheApplication) {
  Settings settings;
  settings.body_total_timeout = 60 * kSecond;
  const Marks marks{.since = kSecond, .until = 90 * kSecond, .blocked = kSecond};
  for_each_state([&](ConnectionState s) {
    if (!is_legal(s)) return;
    const bool with_application =
        s.stage == Stage::Offered || s.stage == Stage::Active || s.stage == Stage::Lent;
    const bool leaves_soon = s.output == Output::Queued || s.discards();
    // The last request's own end is the application's too, and so is what follows it.
    const bool ends_now =
        s.input == Input::Ended && (s.stage <= Stage::Head || s.stage == Stage::Whole);
    const Due next = due({.state = s, .waits_for_body = true}, marks, settings);
    if (s.over()) {
      EXPECT_EQ(next.when, kNever);
    } else if (!with_application && !leaves_soon && !ends_now) {
      EXPECT_NE(next.when, kNever);
    }
  });
}

struct DueCase {
  Situation situation;
  Nanos when;  // seconds after the marks
  Why why;
};

class DueTest : public ::testing::TestWithParam<DueCase> {};

TEST_P(DueTest, FollowsFromTheState) {
  const Settings settings;
  const Nanos at = 1000 * kSecond;
  const Marks marks{.since = at, .until = kNever, .blocked = at};
  const Due next = due(GetParam().situation, marks, settings);
  EXPECT_EQ(next.why, GetParam().why);
  const Nanos when = GetParam().when;
  EXPECT_EQ(next.when, when == kNever ? kNever : at + when * kSecond);
}

constexpr ConnectionState kIdleState{};
constexpr ConnectionState kHead{.stage = Stage::Head};
constexpr ConnectionState kActive{.stage = Stage::Active};
constexpr ConnectionState kBlocked{.output = Output::Blocked};
constexpr ConnectionState kLinger{Input::Last, Output::Ended, Stage::None};

INSTANTIATE_TEST_SUITE_P(
    C06_States, DueTest,
    ::testing::Values(
        DueCase{{.state = kIdleState, .fresh = true}, 10, Why::FirstHead},
        DueCase{{.state = kIdleState}, 75, Why::Idle},
        DueCase{
            {.state = kIdleState, .closing_since = 1000 * kSecond}, 1, Why::Closing},
        DueCase{{.state = kHead}, 10, Why::Head},
        DueCase{{.state = {.stage = Stage::Preface}}, 10, Why::Preface},
        // One of which a part is here has begun.
        DueCase{{.state = {.stage = Stage::Preface}, .closing_since = 1000 * kSecond},
                1,
                Why::Closing},
        DueCase{{.state = {.stage = Stage::Preface},
                 .has_input = true,
                 .closing_since = 1000 * kSecond},
                10,
                Why::Preface},
        DueCase{{.state = {.stage = Stage::Handshake}}, 5, Why::Handshake},
        DueCase{{.state = {.stage = Stage::Handshake}, .closing_since = 1000 * kSecond},
                1,
                Why::Closing},
        DueCase{{.state = kActive}, kNever, Why::Nothing},
        DueCase{{.state = kActive, .waits_for_body = true}, 10, Why::Body},
        DueCase{{.state = {.stage = Stage::Answered}, .waits_for_body = true},
                1,
                Why::Rest},
        // Output that waits goes before any wait for input.
        DueCase{{.state = {.output = Output::Blocked, .stage = Stage::Active},
                 .waits_for_body = true},
                30,
                Why::Write},
        DueCase{{.state = kBlocked}, 30, Why::Write},
        DueCase{{.state = kBlocked, .has_input = true}, 30, Why::Write},
        DueCase{{.state = {.output = Output::Queued}}, kNever, Why::Nothing},
        DueCase{{.state = kLinger}, 2, Why::Linger}));

TEST(AccessFormat, AtomsLiteralsAndUnknownOnes) {
  http::Request request;
  const std::string bytes = "GET /p?q=1 HTTP/1.1 agent";
  request.base = bytes.data();
  request.method = {0, 3};
  request.target = {4, 6};
  request.path = {4, 2};
  request.query = {7, 3};
  const auto peer = *net::Address::parse_ip("1.2.3.4");
  AccessRecord record;
  record.peer = &peer;
  record.request = &request;
  record.status = 200;
  record.bytes = 7;
  record.duration = 1'234'567'890;
  std::string out;
  AccessFormat::compile(
      "%(h)s|%(r)s|%(U)s|%(q)s|%(s)s|%(b)s|%(T)s|%(D)s|%(M)s|%(L)s|%(a)s|"
      "%(zz)s|%(x|100%")
      .render(record, 0, out);
  EXPECT_EQ(out,
            "1.2.3.4|GET /p?q=1 "
            "HTTP/1.1|/p|q=1|200|7|1|1234567|1234|1.234567|-|-|%(x|100%\n");
}

// Another server, as this one sees it: it keeps what it is given.
struct HeapOfPeers final : Peers {
  bool ending() noexcept override { return false; }
  bool has_other() noexcept override { return there; }
  bool has_room() noexcept override { return there; }
  bool over_share() noexcept override { return over; }
  bool pass(int fd, const Passage& passage) noexcept override {
    if (!there || full) return false;
    passed.push_back({::dup(fd), passage});
    return true;
  }
  bool there = true;
  bool full = false;
  bool over = false;
  std::vector<std::pair<int, Passage>> passed;
};

class PeersTest : public ServerTest {
 protected:
  PeersTest() { server_.set_peers(&peers_); }
  ~PeersTest() override {
    for (const auto& [fd, passage] : peers_.passed) ::close(fd);
  }
  HeapOfPeers peers_;
};

TEST_F(PeersTest, WhoHasMoreThanItsSharePassesNewOnesOn) {
  peers_.over = true;
  const int first = connect();
  EXPECT_EQ(peers_.passed.size(), 1U);
  EXPECT_TRUE(peers_.passed[0].second.fresh);
  EXPECT_EQ(peers_.passed[0].second.peer.ip_text(), "127.0.0.1");
  EXPECT_EQ(server_.load().connections, 0U);
  peers_.full = true;  // then it serves them itself
  const int second = connect();
  EXPECT_EQ(server_.load().connections, 1U);
  EXPECT_EQ(server_.counters().passed, 1U);
  ::close(first);
  ::close(second);
}

TEST_F(PeersTest, WhatWasPassedOnIsServedFurther) {
  const int client = connect();
  send(client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  app_.answer("one");
  round();
  EXPECT_NE(receive(client).find("one"), std::string::npos);
  server_.drain();
  round();
  ASSERT_EQ(peers_.passed.size(), 1U);
  const auto [fd, passage] = peers_.passed[0];
  EXPECT_FALSE(passage.fresh);
  EXPECT_GT(passage.since, 0);
  EXPECT_EQ(server_.load().connections, 0U);
  EXPECT_EQ(receive(client), "");  // it is open

  Server next(loop_, app_, quiet(), log_);
  next.take(::dup(fd), passage);
  send(client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  app_.answer("two");
  round();
  EXPECT_NE(receive(client).find("two"), std::string::npos);
  EXPECT_EQ(next.counters().taken, 1U);
  next.close_all();
  ::close(client);
}

// What a thread of the worker does while a slice holds the loop.
std::size_t relieve(Server& server) {
  std::size_t went = 0;
  std::thread other([&] {
    loop::Custody& custody = server.loop().custody();
    if (!custody.try_take()) return;
    went = server.hand_over();
    custody.give_back();
  });
  other.join();
  return went;
}

TEST_F(PeersTest, C18WhatWaitsUnreadGoesWhileTheLoopIsHeld) {
  loop_.custody().share();
  const std::string_view request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
  const int idle = connect();
  send(idle, request);
  app_.answer("one");
  round();
  receive(idle);
  const int active = connect();
  send(active, request);
  const int half = connect();
  send(half, request.substr(0, 10));
  const int fresh = connect();
  ASSERT_EQ(server_.load().connections, 4U);

  loop_.custody().leave(1);
  for (const int fd : {idle, fresh}) {
    ASSERT_GT(::send(fd, request.data(), request.size(), 0), 0);
  }
  EXPECT_EQ(relieve(server_), 2U);
  EXPECT_EQ(relieve(server_), 0U);  // nothing is left that could
  EXPECT_EQ(server_.load().connections, 2U);
  EXPECT_EQ(server_.load().idle, 0U);
  EXPECT_EQ(server_.counters().handed_over, 2U);
  Server next(loop_, app_, quiet(), log_);
  for (const auto& [fd, passage] : peers_.passed) next.take(::dup(fd), passage);

  EXPECT_EQ(loop_.custody().enter(), 1);
  round();
  EXPECT_EQ(server_.load().connections, 2U);
  EXPECT_EQ(server_.counters().closed[static_cast<std::size_t>(Closed::Passed)], 2U);
  send(half, request.substr(10));
  ASSERT_EQ(app_.held.size(), 4U);
  for (int i = 0; i < 4; ++i) app_.answer("late");
  round();
  for (const int fd : {idle, active, half, fresh}) {
    EXPECT_NE(receive(fd).find("late"), std::string::npos);
    ::close(fd);
  }
  EXPECT_EQ(next.counters().taken, 2U);
  next.close_all();
}

TEST_F(PeersTest, C18NothingGoesWhereNobodyHasRoomOrTheLoopTurns) {
  loop_.custody().share();
  const int client = connect();
  EXPECT_EQ(relieve(server_), 0U);
  loop_.custody().leave(1);
  peers_.there = false;
  EXPECT_EQ(relieve(server_), 0U);
  peers_.there = true;
  peers_.full = true;
  EXPECT_EQ(relieve(server_), 0U);
  loop_.custody().enter();
  EXPECT_EQ(server_.hand_over(), 0U);
  EXPECT_EQ(server_.load().connections, 1U);
  ::close(client);
}

TEST_F(PeersTest, ABusyOneIsPassedOnAfterItsAnswer) {
  const int client = connect();
  send(client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  server_.drain();
  round();
  EXPECT_TRUE(peers_.passed.empty());
  app_.answer("one");
  round();
  const std::string answer = receive(client);
  EXPECT_NE(answer.find("one"), std::string::npos);
  EXPECT_EQ(answer.find("Connection:"), std::string::npos);
  EXPECT_EQ(peers_.passed.size(), 1U);
  ::close(client);
}

TEST_F(PeersTest, AFullOneIsAskedAgainAndWithoutAnyTheConnectionEnds) {
  const int client = connect();
  send(client, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  app_.answer("one");
  round();
  receive(client);
  peers_.full = true;
  server_.drain();
  round();
  EXPECT_EQ(server_.load().connections, 1U);
  clock_.advance(5 * kSecond);  // nobody closes it meanwhile
  round();
  EXPECT_EQ(receive(client), "");
  peers_.there = false;
  clock_.advance(kSecond);
  round();
  clock_.advance(2 * kSecond);
  round();
  EXPECT_EQ(receive(client), "<eof>");
  EXPECT_EQ(server_.load().connections, 1U);  // what the client still sends is read
  ::close(client);
  round();
  EXPECT_EQ(server_.load().connections, 0U);
}

}  // namespace
}  // namespace celadon::server
