#include <gtest/gtest.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>

#include "admin/json.h"
#include "admin/pages.h"
#include "admin/site.h"
#include "base/quoted.h"
#include "net/owned_fd.h"
#include "server/server.h"

namespace celadon::admin {
namespace {

TEST(JsonTest, TextIsEscaped) {
  std::string out;
  append_quoted(out, "a\"b\\c\n\x80");
  EXPECT_EQ(out, R"("a\"b\\c\u000a\u0080")");
}

TEST(JsonTest, Nesting) {
  Json json;
  json.open('{').key("a").value(1).key("b").open('[').value("x").value(true);
  json.open('{').close('}').close(']').key("c").raw("2.5").close('}');
  EXPECT_EQ(json.take(), R"({"a":1,"b":["x",true,{}],"c":2.5})");
}

struct SiteTest : testing::Test {
  void SetUp() override { ASSERT_TRUE(slab); }
  void serve(std::size_t slot) {
    slab->lease(slot, clock.now());
    slab->slots()[slot].state.store(metrics::SlotState::Ready);
  }
  ManualClock clock;
  std::unique_ptr<metrics::Slab> slab = metrics::Slab::make(3);
  Site site{*slab, clock, 30 * kSecond};
};

TEST_F(SiteTest, ReadyWhileSomebodyServes) {
  EXPECT_FALSE(site.is_ready());
  serve(1);
  EXPECT_TRUE(site.is_ready());
  slab->summary().draining.store(true);
  EXPECT_FALSE(site.is_ready());
  slab->summary().draining.store(false);
  slab->summary().stopping.store(true);
  EXPECT_FALSE(site.is_ready());
}

TEST_F(SiteTest, LiveUntilOneIsSilentLongPastItsTime) {
  serve(0);
  slab->slots()[0].pulse.store(clock.now());
  clock.advance(39 * kSecond);
  EXPECT_TRUE(site.is_live());
  clock.advance(2 * kSecond);
  EXPECT_FALSE(site.is_live());
  slab->take_back(0);
  EXPECT_TRUE(site.is_live());
}

TEST_F(SiteTest, WorkersAreListedBySlot) {
  serve(2);
  slab->slots()[2].pid.store(77);
  slab->slots()[2].gauges[metrics::gauge::kConnections] = 5;
  clock.advance(1500 * kMillisecond);
  EXPECT_EQ(
      site.workers(),
      R"({"ok":true,"workers":[{"worker":2,"pid":77,"state":"ready","age":1.500,)"
      R"("held":0.000,"healthy":true,"connections":5,"requests":0,"queued":0}]})");
}

// The pages behind a real server.
struct PagesTest : SiteTest {
  struct NoLog final : LogSink {
    void log(Level, std::string_view) noexcept override {}
  };
  void start(Access access) {
    pages = std::make_unique<Pages>(site, scraper, std::move(access));
    server = std::make_unique<server::Server>(loop, *pages, server::Settings{}, log);
    auto socket = net::ListenSocket::open(*net::parse_bind("127.0.0.1:0"), {});
    port = socket->address().port();
    ASSERT_TRUE(server->add_listener(std::move(*socket)));
  }
  std::string get(const std::string& path, const std::string& fields = "") {
    sockaddr_in in{};
    in.sin_family = AF_INET;
    in.sin_port = htons(port);
    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const net::OwnedFd fd(::socket(AF_INET, SOCK_STREAM, 0));
    EXPECT_EQ(::connect(fd.get(), reinterpret_cast<sockaddr*>(&in), sizeof in), 0);
    const std::string text =
        "GET " + path + " HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n";
    EXPECT_GT(::send(fd.get(), text.data(), text.size(), 0), 0);
    for (int i = 0; i < 4; ++i) {
      loop.turn(0);
      loop.settle();
    }
    std::array<char, 4096> reply{};
    const ssize_t n = ::recv(fd.get(), reply.data(), reply.size(), MSG_DONTWAIT);
    return n > 0 ? std::string(reply.data(), static_cast<std::size_t>(n)) : "";
  }
  static Access closed() { return {"secret", {}, {"live"}}; }

  loop::Loop loop{loop::make_epoll_poller(), clock};
  NoLog log;
  Scraper scraper{site, {}, "version=\"1\""};
  std::unique_ptr<Pages> pages;
  std::unique_ptr<server::Server> server;
  std::uint16_t port = 0;
};

TEST_F(PagesTest, Verdicts) {
  start({"", *net::Networks::parse("127.0.0.1"), {}});
  EXPECT_TRUE(get("/-/live").starts_with("HTTP/1.1 200 "));
  EXPECT_TRUE(get("/-/ready").starts_with("HTTP/1.1 503 "));
  EXPECT_TRUE(get("/-/startup").starts_with("HTTP/1.1 503 "));
  serve(0);
  slab->summary().started.store(true);
  EXPECT_TRUE(get("/-/ready").starts_with("HTTP/1.1 200 "));
  EXPECT_TRUE(get("/-/startup").starts_with("HTTP/1.1 200 "));
  EXPECT_NE(get("/-/stats").find(R"("slots":{"ok":true,"workers":[{)"),
            std::string::npos);
  EXPECT_TRUE(get("/").starts_with("HTTP/1.1 404 "));
  EXPECT_TRUE(get("/-/nothing").starts_with("HTTP/1.1 404 "));
}

TEST_F(PagesTest, WhatIsNotOpenNeedsTheToken) {
  start(closed());
  EXPECT_TRUE(get("/-/live").starts_with("HTTP/1.1 200 "));
  EXPECT_TRUE(get("/-/stats").starts_with("HTTP/1.1 401 "));
  EXPECT_NE(get("/-/stats").find("WWW-Authenticate: Bearer"), std::string::npos);
  for (const char* wrong :
       {"Bearer wrongs", "Bearer secre", "Bearer ", "Basic secret"}) {
    const std::string field = std::string("Authorization: ") + wrong + "\r\n";
    EXPECT_TRUE(get("/-/stats", field).starts_with("HTTP/1.1 401 ")) << wrong;
  }
  EXPECT_TRUE(
      get("/-/stats", "authorization: Bearer secret\r\n").starts_with("HTTP/1.1 200 "));
}

}  // namespace
}  // namespace celadon::admin
