#include "server/punctual.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "server/server.h"

namespace celadon::server {
namespace {

struct NoLog final : LogSink {
  void log(Level, std::string_view) noexcept override {}
};

struct HoldingApp final : App {
  void on_request(Exchange& x) noexcept override { held.push_back(&x); }
  void on_cancel(Exchange&) noexcept override {}
  Exchange* take() {
    Exchange* x = std::exchange(held.front(), nullptr);
    held.erase(held.begin());
    return x;
  }
  void answer(const std::string& body) {
    ASSERT_FALSE(held.empty());
    Exchange* x = take();
    http::ResponseHead head;
    head.reason = "OK";
    head.content_length = body.size();
    x->send_head(head, body, {}, Part::Last, net::Leave::AtTurnEnd);
    x->release();
  }
  // In every step that there is.
  void answer_bit_by_bit() {
    ASSERT_FALSE(held.empty());
    Exchange* x = take();
    x->send_interim(103, {});
    http::ResponseHead head;
    head.reason = "OK";
    x->send_head(head, "a", {}, Part::More, net::Leave::AtTurnEnd);
    x->send_data("bc", {}, net::Leave::AtTurnEnd);
    x->finish();
    x->release();
  }
  std::vector<Exchange*> held;
};

// The server's thread looks at a clock of its own, so this one is real.
class PunctualTest : public ::testing::Test {
 protected:
  void SetUp() override { server_.be_punctual(); }
  int connect() {
    std::array<int, 2> pair{};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
                           pair.data()),
              0);
    Passage passage;
    passage.since = loop_.now();
    server_.take(pair[0], passage);
    const int flags = ::fcntl(pair[1], F_GETFL);
    EXPECT_EQ(::fcntl(pair[1], F_SETFL, flags & ~O_NONBLOCK), 0);
    return pair[1];
  }
  void ask(int fd, int times) {
    for (int i = 0; i < times; ++i) {
      EXPECT_EQ(::send(fd, kGet.data(), kGet.size(), 0), std::ssize(kGet));
    }
    for (int i = 0; i < 3; ++i) turn();
  }
  void turn() {
    loop_.settle();
    loop_.turn(0);
  }
  // Waits for it, while the loop's thread is nowhere.
  static std::string receive(int fd, std::size_t length) {
    std::string got(length, '\0');
    const ssize_t n = ::recv(fd, got.data(), length, MSG_WAITALL);
    got.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
    return got;
  }
  static std::string answer_with(const std::string& body) {
    return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) +
           "\r\n\r\n" + body;
  }
  static Settings quiet() {
    Settings s;
    s.date_header = false;
    s.server_header = "";
    s.request_id_header = "";
    return s;
  }
  static constexpr std::string_view kGet = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

  SystemClock clock_;
  loop::Loop loop_{loop::make_epoll_poller(), clock_};
  NoLog log_;
  HoldingApp app_;
  Server server_{loop_, app_, quiet(), log_};
};

TEST_F(PunctualTest, S28AnAnswerLeavesWhileAnotherSliceHoldsTheLoop) {
  const int one = connect();
  const int two = connect();
  for (int i = 0; i < 30; ++i) {
    ask(one, 1);
    ask(two, 1);
    const std::string fast(i % 2 == 0 ? 1 : 10'000, 'x');
    app_.answer(fast);
    loop_.custody().leave(loop_.fresh_now());
    EXPECT_EQ(receive(one, answer_with(fast).size()), answer_with(fast));
    app_.answer("slow");
    EXPECT_EQ(receive(two, answer_with("slow").size()), answer_with("slow"));
    loop_.custody().enter();
    turn();
    EXPECT_EQ(server_.load().idle, 2U);
  }
  ::close(one);
  ::close(two);
}

TEST_F(PunctualTest, S28AnAnswerLeavesWhileTheNextOneOfItsPipelineIsMade) {
  const int fd = connect();
  for (int i = 0; i < 30; ++i) {
    ask(fd, 3);
    for (const std::string body : {"1", "2", "3"}) {
      app_.answer(body);
      loop_.custody().leave(loop_.fresh_now());
      EXPECT_EQ(receive(fd, answer_with(body).size()), answer_with(body));
      loop_.custody().enter();
    }
    turn();
    EXPECT_EQ(server_.load().idle, 1U);
  }
  ::close(fd);
}

// With ThreadSanitizer: what a slice does to its own request it does inside. Without:
// nothing of it is lost.
TEST_F(PunctualTest, S28ASliceAndWhoSendsForItNeverMeet) {
  constexpr int kOften = 200;
  constexpr int kNowAndThen = 50;
  std::atomic<bool> done = false;
  std::atomic<int> theirs = 0;
  std::thread other([&] {
    loop::Custody& custody = loop_.custody();
    while (!done) {
      if (!custody.try_take()) continue;
      ++theirs;
      server_.send_held_back();
      custody.give_back();
    }
  });
  const int fd = connect();
  const std::string in_bits =
      "HTTP/1.1 103 Early Hints\r\n\r\n"
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
      "1\r\na\r\n2\r\nbc\r\n0\r\n\r\n";
  for (int i = 0; i < kOften || theirs < kNowAndThen; ++i) {
    ask(fd, 4);
    loop_.custody().leave(loop_.fresh_now());
    app_.answer("whole");
    app_.answer_bit_by_bit();
    app_.answer(std::string(10'000, 'x'));
    app_.answer_bit_by_bit();
    loop_.custody().enter();
    turn();
    const std::string all = answer_with("whole") + in_bits +
                            answer_with(std::string(10'000, 'x')) + in_bits;
    ASSERT_EQ(receive(fd, all.size()), all);
  }
  done = true;
  other.join();
  ::close(fd);
}

// It is the loop's thread that finds out.
TEST_F(PunctualTest, S28WhoHasLeftMeanwhileIsOnlyThenMissed) {
  const int one = connect();
  const int two = connect();
  ask(one, 2);
  ask(two, 1);
  app_.answer("1");  // and the next one is at hand
  app_.answer("2");
  ::close(one);
  loop_.custody().leave(loop_.fresh_now());
  EXPECT_EQ(receive(two, answer_with("2").size()), answer_with("2"));
  loop_.custody().enter();
  EXPECT_EQ(server_.load().connections, 2U);
  turn();
  ASSERT_EQ(app_.held.size(), 1U);
  app_.answer("3");
  turn();
  EXPECT_EQ(server_.load().connections, 1U);
  ::close(two);
}

}  // namespace
}  // namespace celadon::server
