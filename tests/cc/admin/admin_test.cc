#include <gtest/gtest.h>
#include <sys/socket.h>

#include <algorithm>
#include <vector>

#include "admin/gzip.h"
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

TEST(GzipTest, WhoTakesIt) {
  for (const char* field : {"gzip", "x-gzip", "deflate, GZIP ; q=0.5", "*",
                            "br, *;q=0.1", "gzip;q=1.0, *;q=0", "gzip;level=9"})
    EXPECT_TRUE(takes_gzip(field)) << field;
  for (const char* field : {"", "identity", "gzip;q=0", "gzip; q=0.000, *", "*;q=0",
                            "br, gzipped", ",", ";q=1", "gzip;q=0;level=9"})
    EXPECT_FALSE(takes_gzip(field)) << field;
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
    pages = std::make_unique<Pages>(loop, site, scraper, actions, std::move(access));
    server = std::make_unique<server::Server>(loop, *pages, server::Settings{}, log);
    auto socket = net::ListenSocket::open(*net::parse_bind("127.0.0.1:0"), {});
    port = socket->address().port();
    ASSERT_TRUE(server->add_listener(std::move(*socket)));
  }
  // Others answer on the way, by what they were asked.
  struct Questions final : Actions {
    void ask(std::uint64_t number, std::string_view words) noexcept override {
      asked.emplace_back(number, words);
    }
    std::vector<std::pair<std::uint64_t, std::string>> asked;
  };
  net::OwnedFd connect() {
    sockaddr_in in{};
    in.sin_family = AF_INET;
    in.sin_port = htons(port);
    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    net::OwnedFd fd(::socket(AF_INET, SOCK_STREAM, 0));
    EXPECT_EQ(::connect(fd.get(), reinterpret_cast<sockaddr*>(&in), sizeof in), 0);
    return fd;
  }
  void turn() {
    for (int i = 0; i < 4; ++i) {
      loop.turn(0);
      loop.settle();
    }
  }
  void send(const net::OwnedFd& fd, const std::string& method, const std::string& path,
            const std::string& fields, const std::string& host) {
    const std::string text =
        method + " " + path + " HTTP/1.1\r\nHost: " + host + "\r\n" + fields + "\r\n";
    EXPECT_GT(::send(fd.get(), text.data(), text.size(), 0), 0);
    turn();
  }
  static std::string read(const net::OwnedFd& fd) {
    std::vector<char> reply(65536);
    const ssize_t n = ::recv(fd.get(), reply.data(), reply.size(), MSG_DONTWAIT);
    return n > 0 ? std::string(reply.data(), static_cast<std::size_t>(n)) : "";
  }
  std::string get(const std::string& path, const std::string& fields = "",
                  const std::string& host = "localhost") {
    const net::OwnedFd fd = connect();
    send(fd, "GET", path, fields, host);
    return read(fd);
  }
  std::string post(const std::string& path, const std::string& fields) {
    const net::OwnedFd fd = connect();
    send(fd, "POST", path, fields + "Content-Length: 0\r\n", "localhost");
    return read(fd);
  }
  static Access local(bool control = false) {
    return {"", *net::Networks::parse("127.0.0.1"), {"metrics"}, control};
  }
  static Access closed() { return {"secret", {}, {"live"}, false}; }

  loop::Loop loop{loop::make_epoll_poller(), clock};
  NoLog log;
  Questions actions;
  Scraper scraper{site, {}, "version=\"1\""};
  std::unique_ptr<Pages> pages;
  std::unique_ptr<server::Server> server;
  std::uint16_t port = 0;
};

TEST_F(PagesTest, Verdicts) {
  start(local());
  EXPECT_TRUE(get("/-/live").starts_with("HTTP/1.1 200 "));
  EXPECT_TRUE(get("/-/ready").starts_with("HTTP/1.1 503 "));
  EXPECT_TRUE(get("/-/startup").starts_with("HTTP/1.1 503 "));
  serve(0);
  slab->summary().started.store(true);
  EXPECT_TRUE(get("/-/ready").starts_with("HTTP/1.1 200 "));
  EXPECT_TRUE(get("/-/startup").starts_with("HTTP/1.1 200 "));
  EXPECT_NE(get("/-/stats").find(R"("workers":[{"worker":0,)"), std::string::npos);
  EXPECT_TRUE(get("/other").starts_with("HTTP/1.1 404 "));
  EXPECT_TRUE(get("/-/nothing").starts_with("HTTP/1.1 404 "));
}

TEST_F(PagesTest, TheAddressAloneLeadsToTheFirstPage) {
  start(local());
  for (const char* path : {"/", "/-"}) {
    const std::string answer = get(path);
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 307 ")) << answer;
    EXPECT_NE(answer.find("\r\nLocation: /-/\r\n"), std::string::npos) << answer;
  }
}

TEST_F(PagesTest, WhatIsNotOpenNeedsTheToken) {
  start(closed());
  EXPECT_TRUE(get("/").starts_with("HTTP/1.1 401 "));
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

TEST_F(PagesTest, ABrowserSendsTheTokenAsAPassword) {
  start(closed());
  // base64 of x:secret, of x:wrong, and of none
  EXPECT_TRUE(get("/-/stats", "Authorization: Basic eDpzZWNyZXQ=\r\n")
                  .starts_with("HTTP/1.1 200 "));
  for (const char* wrong :
       {"Basic eDp3cm9uZw==", "Basic", "Basic ====", "Basic eA=="}) {
    const std::string field = std::string("Authorization: ") + wrong + "\r\n";
    EXPECT_TRUE(get("/-/stats", field).starts_with("HTTP/1.1 401 ")) << wrong;
  }
  EXPECT_NE(get("/-/stats").find("WWW-Authenticate: Basic"), std::string::npos);
}

// A name that was made to lead here, in a page of somebody else's.
TEST_F(PagesTest, OnlyOpenPagesAreForEveryName) {
  start(local());
  for (const char* host : {"127.0.0.1:1", "[::1]:9", "localhost", "LOCALHOST:1"}) {
    EXPECT_TRUE(get("/-/stats", "", host).starts_with("HTTP/1.1 200 ")) << host;
  }
  EXPECT_TRUE(get("/-/stats", "", "evil.example").starts_with("HTTP/1.1 421 "));
  EXPECT_TRUE(get("/-/", "", "1.2.3.4.example").starts_with("HTTP/1.1 421 "));
  EXPECT_TRUE(get("/metrics", "", "celadon.svc").starts_with("HTTP/1.1 200 "));
}

TEST_F(PagesTest, TheDashboardIsWhole) {
  start(local());
  const std::string page = get("/-/");
  EXPECT_NE(page.find("<!doctype html>"), std::string::npos);
  EXPECT_NE(page.find("Content-Security-Policy: default-src 'self'"),
            std::string::npos);
  for (const char* asset : {"dashboard.css", "dashboard.js", "icon.svg"}) {
    EXPECT_NE(page.find(asset), std::string::npos);
    EXPECT_TRUE(get(std::string("/-/") + asset).starts_with("HTTP/1.1 200 ")) << asset;
  }
}

TEST_F(PagesTest, WhatOthersKnowIsWaitedFor) {
  start(local());
  const net::OwnedFd fd = connect();
  send(fd, "GET", "/-/stacks", "", "localhost");
  EXPECT_EQ(read(fd), "");
  ASSERT_EQ(actions.asked.size(), 1U);
  EXPECT_EQ(actions.asked[0].second, "stacks");
  EXPECT_FALSE(pages->reply(1, "{}"));  // of the control socket
  EXPECT_TRUE(pages->reply(actions.asked[0].first, R"({"ok":true})"));
  turn();
  EXPECT_NE(read(fd).find(R"({"ok":true})"), std::string::npos);
}

TEST_F(PagesTest, AnAnswerForWhoHasLeftIsDropped) {
  start(local());
  {
    const net::OwnedFd fd = connect();
    send(fd, "GET", "/-/config", "", "localhost");
    const linger reset{1, 0};
    ::setsockopt(fd.get(), SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  }
  turn();
  ASSERT_EQ(actions.asked.size(), 1U);
  EXPECT_TRUE(pages->reply(actions.asked[0].first, R"({"ok":true})"));
  EXPECT_TRUE(get("/-/stats").starts_with("HTTP/1.1 200 "));
}

TEST_F(PagesTest, DeedsNeedLeaveAndAFieldOfTheirOwn) {
  start(local());
  EXPECT_TRUE(post("/-/control/reload", "X-Celadon-Control: 1\r\n")
                  .starts_with("HTTP/1.1 403 "));
  server.reset();
  start(local(true));
  EXPECT_TRUE(post("/-/control/reload", "").starts_with("HTTP/1.1 403 "));
  EXPECT_TRUE(get("/-/control/reload").starts_with("HTTP/1.1 404 "));
  EXPECT_TRUE(post("/-/control/shutdown", "X-Celadon-Control: 1\r\n")
                  .starts_with("HTTP/1.1 404 "));
  EXPECT_TRUE(actions.asked.empty());
  const net::OwnedFd fd = connect();
  send(fd, "POST", "/-/control/workers/add",
       "X-Celadon-Control: 1\r\nContent-Length: 0\r\n", "localhost");
  ASSERT_EQ(actions.asked.size(), 1U);
  EXPECT_EQ(actions.asked[0].second, "workers add");
  pages->reply(actions.asked[0].first, R"({"ok":false,"error":"no"})");
  turn();
  EXPECT_TRUE(read(fd).starts_with("HTTP/1.1 409 "));
}

TEST_F(PagesTest, EventsComeOnceASecondWhileSomebodyListens) {
  start(local());
  const net::OwnedFd fd = connect();
  send(fd, "GET", "/-/events", "", "localhost");
  EXPECT_NE(read(fd).find("text/event-stream"), std::string::npos);
  clock.advance(2 * kMillisecond);
  turn();
  const auto events = [&] {
    const std::string text = read(fd);
    std::size_t count = 0;
    for (std::size_t at = 0; (at = text.find("data: {", at)) != text.npos; ++at)
      ++count;
    return count;
  };
  EXPECT_LE(events(), 1U);
  clock.advance(1001 * kMillisecond);
  turn();
  EXPECT_EQ(events(), 1U);
  const linger reset{1, 0};
  ::setsockopt(fd.get(), SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  net::OwnedFd(::dup(fd.get())).close();
  EXPECT_TRUE(loop.has_timers());
}

TEST_F(PagesTest, OnlySoManyListen) {
  start(local());
  std::vector<net::OwnedFd> listeners;
  for (int i = 0; i < 32; ++i) {
    listeners.push_back(connect());
    send(listeners.back(), "GET", "/-/events", "", "localhost");
  }
  EXPECT_TRUE(get("/-/events").starts_with("HTTP/1.1 503 "));
  listeners.clear();
  turn();
  EXPECT_TRUE(get("/-/events").starts_with("HTTP/1.1 200 "));
}

TEST_F(SiteTest, ReadinessNeedsTheChecksOfTheApplication) {
  serve(0);
  std::atomic<Nanos>& until = slab->slots()[0].fit_until;
  until.store(1);  // one fails
  EXPECT_FALSE(site.is_ready());
  until.store(clock.now() + 5 * kSecond);
  EXPECT_TRUE(site.is_ready());
  clock.advance(6 * kSecond);  // nobody has said so for too long
  EXPECT_FALSE(site.is_ready());
  serve(1);  // this one has none
  EXPECT_TRUE(site.is_ready());
}

TEST_F(SiteTest, AWorkerWhoseQueueIsFullIsNotReady) {
  const Site strict(*slab, clock, 30 * kSecond, 10);
  serve(0);
  slab->slots()[0].gauges[metrics::gauge::kQueued] = 9;
  EXPECT_TRUE(strict.is_ready());
  slab->slots()[0].gauges[metrics::gauge::kQueued] = 10;
  EXPECT_FALSE(strict.is_ready());
}

}  // namespace
}  // namespace celadon::admin
