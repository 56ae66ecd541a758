// What requests and idle connections cost, in what can be counted: readings of the
// clock, calls of the allocator, and bytes.
#include <gtest/gtest.h>
#include <malloc.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <new>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/memory.h"
#include "server/heap_keeper.h"
#include "server/server.h"

namespace {

// Of the thread that looks at them.
thread_local std::size_t allocations = 0;
thread_local std::size_t live_bytes = 0;

// As the C library counts it: with what it needs for itself.
std::size_t taken_by(void* memory) noexcept {
  return ::malloc_usable_size(memory) + sizeof(std::size_t);
}
void* allocate(std::size_t size) noexcept {
  void* memory = std::malloc(size);
  if (!memory) std::abort();
  ++allocations;
  live_bytes += taken_by(memory);
  return memory;
}
void release(void* memory) noexcept {
  if (memory) live_bytes -= taken_by(memory);
  std::free(memory);
}

}  // namespace

void* operator new(std::size_t size) {
  return allocate(size);
}
void* operator new[](std::size_t size) {
  return allocate(size);
}
void operator delete(void* memory) noexcept {
  release(memory);
}
void operator delete[](void* memory) noexcept {
  release(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  release(memory);
}
void operator delete[](void* memory, std::size_t) noexcept {
  release(memory);
}

namespace celadon::server {
namespace {

class CountingClock final : public Clock {
 public:
  Nanos now() noexcept override {
    ++readings;
    return now_ += kMicrosecond;
  }
  Nanos wall() noexcept override { return now(); }
  void pass(Nanos time) noexcept { now_ += time; }
  std::size_t readings = 0;

 private:
  Nanos now_ = 1000 * kSecond;
};

struct Silence final : LogSink {
  void log(Level, std::string_view) noexcept override {}
};

// Answers within the call, and releases at once.
struct Hello final : App {
  void on_request(Exchange& x) noexcept override {
    ++answered;
    if (!x.body().empty()) x.consume_body(x.body().size());
    if (holds) return held.push_back(&x);
    answer(x);
  }
  void on_cancel(Exchange&) noexcept override {}
  void answer(Exchange& x) const noexcept {
    http::ResponseHead head;
    head.reason = "OK";
    head.content_length = body.size();
    if (!field.name.empty()) head.headers = std::span(&field, 1);
    x.send_whole(head, body, {});
    x.release();
  }
  void let_go() noexcept {
    holds = false;
    for (Exchange* x : held) answer(*x);
    give_back(held);
  }
  std::string body = "Hello, world!\n";
  http::HeaderView field;  // of its answers
  bool holds = false;      // until let_go()
  std::vector<Exchange*> held;
  std::size_t answered = 0;
};

constexpr std::string_view kGet =
    "GET / HTTP/1.1\r\nHost: a\r\nUser-Agent: test\r\nAccept: */*\r\n\r\n";

class CostTest : public ::testing::Test {
 protected:
  CostTest() : server_(loop_, app_, Settings{}, log_) {
    auto socket = net::ListenSocket::open(*net::parse_bind("127.0.0.1:0"), {});
    port_ = socket->address().port();
    EXPECT_TRUE(server_.add_listener(std::move(*socket)));
  }
  int connect() {
    sockaddr_in in{};
    in.sin_family = AF_INET;
    in.sin_port = htons(port_);
    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EXPECT_EQ(::connect(fd, reinterpret_cast<sockaddr*>(&in), sizeof in), 0);
    turn();
    return fd;
  }
  void turn() {
    loop_.turn(0);
    loop_.settle();
  }
  static void send(int fd, std::string_view text) {
    EXPECT_EQ(::send(fd, text.data(), text.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(text.size()));
  }
  // Turns until `count` more requests were answered.
  void serve(std::size_t count) {
    const std::size_t end = app_.answered + count;
    while (app_.answered < end) turn();
  }
  // Takes what comes, until that was all.
  void drain(int fd, std::size_t bytes) {
    static char block[1 << 16];
    while (bytes > 0) {
      const ssize_t n = ::recv(fd, block, sizeof block, MSG_DONTWAIT);
      if (n > 0) bytes -= std::min(bytes, static_cast<std::size_t>(n));
      turn();
    }
  }

  CountingClock clock_;
  loop::Loop loop_{loop::make_epoll_poller(), clock_};
  Silence log_;
  Hello app_;
  Server server_;
  std::uint16_t port_ = 0;
};

TEST_F(CostTest, ARequestReadsTheClockWhenItIsThereAndWhenItIsOver) {
  const int fd = connect();
  for (int i = 0; i < 10; ++i) {
    send(fd, kGet);
    const std::size_t readings = clock_.readings;
    const std::size_t mallocs = allocations;
    serve(1);
    if (i > 1) {  // both of two vectors that change places have grown
      EXPECT_LE(clock_.readings - readings, 2U);
      EXPECT_EQ(allocations - mallocs, 0U);
    }
  }
  ::close(fd);
}

TEST_F(CostTest, PipelinedRequestsReadTheClockOnceEach) {
  constexpr std::size_t kDepth = 16;
  const int fd = connect();
  std::string all;
  for (std::size_t i = 0; i < kDepth; ++i) all += kGet;
  for (int i = 0; i < 10; ++i) {
    send(fd, all);
    const std::size_t readings = clock_.readings;
    const std::size_t mallocs = allocations;
    serve(kDepth);
    if (i > 1) {
      EXPECT_LE(clock_.readings - readings, kDepth + 4);
      EXPECT_LT(allocations - mallocs, kDepth);
    }
  }
  ::close(fd);
}

// What is queued for it, beside requests that were read ahead.
TEST_F(CostTest, C09_AClientThatNeverReadsIsHeldABufferAndOnePiece) {
  constexpr std::size_t kReadAhead = 64 << 10;
  constexpr std::size_t kSlack = 16 << 10;
  constexpr std::size_t kRequests = 2000;
  app_.body.assign(100'000, 'x');
  const std::size_t before = live_bytes;
  const int fd = connect();
  std::string all;
  for (std::size_t i = 0; i < kRequests; ++i) all += kGet;
  send(fd, all);
  // Until the kernel has taken what it takes.
  std::size_t answered = 0;
  for (int idle = 0; idle < 100; ++idle) {
    turn();
    if (std::exchange(answered, app_.answered) != app_.answered) idle = 0;
  }
  EXPECT_GT(answered, 0U);
  EXPECT_LT(answered, kRequests);
  EXPECT_LE(
      live_bytes - before - all.capacity(),
      server_.settings().response_buffer + app_.body.size() + kReadAhead + kSlack);
  ::close(fd);
}

// --- idle connections ---

// SL04: bytes of this process, the allocator's own included.
constexpr std::size_t kMostIdle = 480;

class IdleCostTest : public CostTest {
 protected:
  // What a connection holds between two requests, after `history`.
  template <class Each>
  std::size_t held_after(Each history) {
    constexpr std::size_t kConnections = 50;
    // What the first one of a kind makes for all.
    const int first = connect();
    history(first);
    std::vector<int> all;
    all.reserve(kConnections);
    rest();
    const std::size_t before = live_bytes;
    for (std::size_t i = 0; i < kConnections; ++i) {
      all.push_back(connect());
      history(all.back());
    }
    rest();
    EXPECT_EQ(server_.load().idle, kConnections + 1);
    const std::size_t held = live_bytes - before;
    for (const int fd : all) ::close(fd);
    ::close(first);
    return held / kConnections;
  }
  void rest() {
    for (int i = 0; i < 3; ++i) turn();
    server_.give_back_all();
  }
};

TEST_F(IdleCostTest, C10_AfterARequest) {
  EXPECT_LE(held_after([this](int fd) {
              send(fd, kGet);
              serve(1);
            }),
            kMostIdle);
}

TEST_F(IdleCostTest, C10_AfterALargeHeadInPieces) {
  const std::string head = "GET / HTTP/1.1\r\nHost: a\r\n" + [] {
    std::string fields;
    for (int i = 0; i < 15; ++i)
      fields += "X-" + std::to_string(i) + ": " + std::string(4000, 'x') + "\r\n";
    return fields;
  }() + "\r\n";
  EXPECT_LE(held_after([&](int fd) {
              send(fd, std::string_view(head).substr(0, 30'000));
              turn();
              send(fd, std::string_view(head).substr(30'000));
              serve(1);
            }),
            kMostIdle);
}

TEST_F(IdleCostTest, C10_AfterABody) {
  const std::string request =
      "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 50000\r\n\r\n" +
      std::string(50'000, 'x');
  EXPECT_LE(held_after([&](int fd) {
              send(fd, request);
              serve(1);
              for (int i = 0; i < 3; ++i) turn();
            }),
            kMostIdle);
}

TEST_F(IdleCostTest, C10_AfterAChunkedBody) {
  EXPECT_LE(held_after([this](int fd) {
              send(fd,
                   "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                   "5\r\nhello\r\n0\r\n\r\n");
              serve(1);
            }),
            kMostIdle);
}

TEST_F(IdleCostTest, C10_AfterAPipeline) {
  constexpr std::size_t kDepth = 100;
  std::string all;
  for (std::size_t i = 0; i < kDepth; ++i) all += kGet;
  EXPECT_LE(held_after([&](int fd) {
              send(fd, all);
              serve(kDepth);
            }),
            kMostIdle);
}

TEST_F(IdleCostTest, C10_AfterAnAnswerThatItsClientTookSlowly) {
  app_.body.assign(4 << 20, 'x');
  EXPECT_LE(held_after([this](int fd) {
              send(fd, kGet);
              serve(1);
              drain(fd, app_.body.size() + 100);
            }),
            kMostIdle);
}

// --- tunnels ---

class TunnelCostTest : public CostTest {
 protected:
  TunnelCostTest() {
    app_.holds = true;
    send(fd_, kGet);
    while (app_.held.empty()) turn();
    http::ResponseHead head;
    head.status = 101;
    EXPECT_EQ(tunnel().open_tunnel(head), Sent::Ok);
    turn();
  }
  ~TunnelCostTest() override {
    tunnel().finish();
    tunnel().release();
    ::close(fd_);
  }
  [[nodiscard]] Exchange& tunnel() { return *app_.held.front(); }
  void pass(std::size_t size) {
    send(fd_, std::string(size, 'x'));
    while (tunnel().body().size() < size) turn();
    tunnel().consume_body(size);
    turn();
  }

  const int fd_ = connect();
};

// It may be silent for hours then.
TEST_F(TunnelCostTest, ALargeMessageLeavesNothing) {
  pass(10);
  server_.give_back_all();
  const std::size_t before = live_bytes;
  pass(50'000);
  server_.give_back_all();
  EXPECT_LE(live_bytes, before);
}

TEST_F(TunnelCostTest, SmallMessagesAskForNoMemory) {
  pass(1'000);
  const std::string message(1'000, 'x');
  for (int i = 0; i < 10; ++i) {
    send(fd_, message);
    const std::size_t mallocs = allocations;
    while (tunnel().body().size() < message.size()) turn();
    tunnel().consume_body(message.size());
    EXPECT_EQ(allocations - mallocs, 0U);
  }
}

// --- what is kept for the next requests ---

class KeptTest : public CostTest {
 protected:
  static constexpr std::size_t kMany = 64;
  static constexpr std::size_t kSlack = 512;  // of vectors that change places
  // What a burst left is kept at first, and given back once nobody comes any more.
  template <class Burst>
  void expect_given_back(Burst burst) {
    burst(1);  // what the first ones make for all
    rest();
    const std::size_t before = live_bytes;
    burst(kMany);
    for (int i = 0; i < 3; ++i) turn();
    EXPECT_GT(live_bytes, before + kSlack);
    rest();
    EXPECT_LE(live_bytes, before + kSlack);
    EXPECT_FALSE(loop_.has_timers());
  }
  void rest() {
    for (int i = 0; i < 10; ++i) {
      turn();
      clock_.pass(kSettings.header_timeout + kSettings.keepalive);
    }
    EXPECT_EQ(server_.load().connections, 0U);
  }
  // Connections that each have sent a request, which is with the application.
  std::vector<int> ask(std::size_t count) {
    const std::size_t end = app_.answered + count;
    std::vector<int> all;
    for (std::size_t i = 0; i < count; ++i) {
      all.push_back(connect());
      send(all.back(), kGet);
    }
    while (app_.answered < end) turn();
    return all;
  }
  static inline const Settings kSettings;
};

TEST_F(KeptTest, ExchangesOfABurstAreGivenBack) {
  expect_given_back([this](std::size_t count) {
    app_.holds = true;
    const auto all = ask(count);
    app_.let_go();
    for (const int fd : all) ::close(fd);
  });
}

TEST_F(KeptTest, QueuesOfABurstAreGivenBack) {
  app_.body.assign(4 << 20, 'x');
  expect_given_back([this](std::size_t count) {
    for (const int fd : ask(std::min<std::size_t>(count, 8))) ::close(fd);
  });
}

TEST_F(KeptTest, HeaderBlocksOfABurstAreGivenBack) {
  expect_given_back([this](std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      const int fd = connect();
      send(fd, "GET / HTTP/1.1\r\nHost: a\r\nCookie: " + std::string(500, 'x') +
                   std::to_string(i) + "\r\n\r\n");
      serve(1);
      ::close(fd);
    }
  });
}

TEST_F(KeptTest, RoomForALargeHeadIsGivenBack) {
  expect_given_back([this](std::size_t count) {
    std::string value(count * 1000, 'x');
    app_.field = {"X-Large", value};
    const int fd = connect();
    send(fd, kGet);
    serve(1);
    ::close(fd);
  });
}

TEST_F(KeptTest, WhatIsInUseIsKept) {
  const int fd = connect();
  for (int i = 0; i < 10; ++i) {
    send(fd, kGet);
    const std::size_t mallocs = allocations;
    serve(1);
    if (i > 1) {
      EXPECT_EQ(allocations - mallocs, 0U);
    }
    turn();
    clock_.pass(15 * kSecond);
    turn();
  }
  ::close(fd);
}

// --- what malloc keeps ---

class HeapTest : public CostTest {
 protected:
  HeapTest() {
    trims_ = 0;
    takes_ = 0;
    clock_of_trims_ = &clock_;
    app_.body.assign(100'000, 'x');
  }
  void serve_one() {
    const int fd = connect();
    send(fd, kGet);
    drain(fd, app_.body.size());
    ::close(fd);
    turn();
  }
  void pass(Nanos time, Nanos work = 0) {
    clock_.pass(time);
    loop_.fresh_now();
    counters_.work += static_cast<std::uint64_t>(work);
    heap_.give_back_unused();
  }
  static void trim() noexcept {
    ++trims_;
    clock_of_trims_->pass(takes_);
  }
  static inline int trims_;
  static inline Nanos takes_;
  static inline CountingClock* clock_of_trims_;
  loop::Counters counters_;
  HeapKeeper heap_{loop_, server_, trim};
};

TEST_F(HeapTest, IsTrimmedOnceAfterTraffic) {
  EXPECT_FALSE(heap_.keeps_memory());
  serve_one();
  EXPECT_TRUE(heap_.keeps_memory());
  for (int i = 0; i < 5; ++i) {
    turn();
    clock_.pass(15 * kSecond);
  }
  EXPECT_EQ(trims_, 1);
  EXPECT_FALSE(heap_.keeps_memory());
  EXPECT_FALSE(loop_.has_timers());
}

TEST_F(HeapTest, ABusyLoopIsLeftAlone) {
  loop_.set_counters(counters_);
  pass(kSecond);
  serve_one();
  for (int i = 0; i < 30; ++i) pass(10 * kSecond, 5 * kSecond);
  EXPECT_EQ(trims_, 0);
  for (int i = 0; i < 31; ++i) pass(10 * kSecond, 5 * kSecond);
  EXPECT_EQ(trims_, 1);  // but for once in ten minutes
  loop_.keep_counters();
}

TEST_F(HeapTest, WhatTakesLongIsDoneSeldom) {
  takes_ = kSecond;
  serve_one();
  pass(100 * kSecond);
  EXPECT_EQ(trims_, 1);
  serve_one();
  pass(900 * kSecond);
  EXPECT_EQ(trims_, 1);
  pass(200 * kSecond);
  EXPECT_EQ(trims_, 2);
}

// The malloc of a sanitizer gives nothing back.
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
// Without what belongs to files.
std::size_t resident() {
  std::size_t size = 0;
  std::size_t pages = 0;
  std::size_t shared = 0;
  std::ifstream("/proc/self/statm") >> size >> pages >> shared;
  return (pages - shared) * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

// Heads of many are there at once, and between them lies what the application keeps.
TEST_F(CostTest, C10_LargeHeadsOfManyGoBackToTheSystem) {
  constexpr std::size_t kMany = 200;
  constexpr std::size_t kKept = 1000;
  const HeapKeeper heap(loop_, server_);
  std::string head = "GET / HTTP/1.1\r\nHost: a\r\n";
  for (int i = 0; i < 8; ++i) {
    head += "X-" + std::to_string(i) + ": " + std::string(7000, 'x') + "\r\n";
  }
  head += "\r\n";
  std::vector<int> all;
  for (std::size_t i = 0; i < kMany; ++i) {
    all.push_back(connect());
    send(all.back(), kGet);
    serve(1);
  }
  std::vector<std::unique_ptr<char[]>> kept;
  trim_heap();
  const std::size_t before = resident();
  for (const int fd : all) {
    send(fd, std::string_view(head).substr(0, 30'000));
    turn();
    kept.push_back(std::make_unique<char[]>(kKept));
  }
  EXPECT_GT(resident(), before + kMany * 30'000);
  for (const int fd : all) {
    send(fd, std::string_view(head).substr(30'000));
    serve(1);
  }
  for (int i = 0; i < 5; ++i) {
    turn();
    clock_.pass(12 * kSecond);
  }
  EXPECT_EQ(server_.load().idle, kMany);
  EXPECT_LE(resident(), before + kMany * (kMostIdle + 2 * kKept) + 1024 * 1024);
  for (const int fd : all) ::close(fd);
}
#endif

}  // namespace
}  // namespace celadon::server
