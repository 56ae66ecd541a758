// The access log, and what requests are called in it.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <thread>

#include "../no_threads.h"
#include "base/shared_memory.h"
#include "server/access_log.h"
#include "server/identity.h"

namespace celadon::server {
namespace {

using Fields = std::vector<std::pair<std::string, std::string>>;

// A request head as the parser leaves it.
struct Head {
  explicit Head(const Fields& fields = {}) {
    bytes = "GET /p?q=1 ";
    request.method = {0, 3};
    request.target = {4, 6};
    request.path = {4, 2};
    request.query = {7, 3};
    for (const auto& [name, value] : fields) {
      const auto at = static_cast<std::uint32_t>(bytes.size());
      bytes += name + value;
      request.fields.push_back(
          {.name_at = at,
           .value_at = at + static_cast<std::uint32_t>(name.size()),
           .value_size = static_cast<std::uint32_t>(value.size()),
           .name_size = static_cast<std::uint16_t>(name.size()),
           .id = http::header_id(name)});
    }
    request.base = bytes.data();
  }
  std::string bytes;
  http::Request request;
};

constexpr Nanos kWall = 1'700'000'000'123 * kMillisecond;
constexpr std::string_view kTrace = "0af7651916cd43dd8448eb211c80319c";
constexpr std::string_view kParent =
    "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

std::string id_of(Naming& naming, const Head& head, bool trusted) {
  Identity identity;
  naming.name(identity, head.request, trusted, kWall);
  return std::string(identity.request_id());
}

TEST(NamingTest, AnIdIsAUuidOfVersion7) {
  Naming naming("X-Request-ID");
  const std::string id = id_of(naming, Head(), true);
  ASSERT_EQ(id.size(), 36U);
  EXPECT_EQ(id.substr(0, 13), "018bcfe5-687b");  // the time, in milliseconds
  EXPECT_EQ(id[14], '7');
  EXPECT_TRUE(std::string_view("89ab").contains(id[19]));
  std::set<std::string> all;
  for (int i = 0; i < 10000; ++i) all.insert(id_of(naming, Head(), true));
  EXPECT_EQ(all.size(), 10000U);
}

TEST(NamingTest, OnlyATrustedPeersTokenIsTaken) {
  Naming naming("X-Request-ID");
  const Head head(Fields{{"X-Request-Id", "abc-123"}});
  EXPECT_EQ(id_of(naming, head, true), "abc-123");
  EXPECT_NE(id_of(naming, head, false), "abc-123");
  for (const std::string& bad :
       {std::string("a b"), std::string("a\"b"), std::string("a\x80"), std::string(),
        std::string(129, 'a')}) {
    EXPECT_EQ(id_of(naming, Head(Fields{{"x-request-id", bad}}), true).size(), 36U);
  }
  EXPECT_EQ(id_of(naming, Head(Fields{{"x-request-id", std::string(128, 'a')}}), true),
            std::string(128, 'a'));
  Naming other("X-Correlation");
  EXPECT_EQ(id_of(other, Head(Fields{{"A", "1"}, {"x-CORRELATION", "c1"}}), true),
            "c1");
}

TEST(NamingTest, ATraceIsContinuedOrBegun) {
  Naming naming("");
  Identity identity;
  naming.trace(identity, Head(Fields{{"traceparent", std::string(kParent)}}).request);
  EXPECT_EQ(identity.trace_id(), kTrace);
  EXPECT_NE(identity.span_id(), "b7ad6b7169203331");
  EXPECT_EQ(identity.traceparent(), "00-" + std::string(kTrace) + "-" +
                                        std::string(identity.span_id()) + "-01");
  Identity begun;
  naming.trace(begun, Head().request);
  EXPECT_EQ(begun.trace_id().size(), 32U);
  EXPECT_NE(begun.trace_id(), kTrace);
  EXPECT_TRUE(begun.traceparent().ends_with("-00"));
}

std::string render(AccessStyle style, std::string_view format, const AccessRecord& r) {
  std::string out;
  AccessFormat::make(style, format, 3).render(r, kWall, out);
  return out;
}

struct FormatTest : ::testing::Test {
  FormatTest() {
    record.peer = &peer;
    record.request = &head.request;
    record.status = 200;
    record.bytes = 7;
    record.duration = 1'234'567;
    Naming naming("X-Request-ID");
    naming.name(identity, head.request, true, kWall);
    naming.trace(identity, head.request);
    record.identity = &identity;
  }
  net::Address peer = *net::Address::parse_ip("1.2.3.4");
  Head head{Fields{{"User-Agent", "a \"b\"\n\x80"},
                   {"X-Request-ID", "rid"},
                   {"traceparent", std::string(kParent)}}};
  Identity identity;
  AccessRecord record;
};

TEST_F(FormatTest, JsonIsOneValidLine) {
  const std::string span(identity.span_id());
  EXPECT_EQ(render(AccessStyle::Json, "", record),
            R"({"@timestamp":"2023-11-14T22:13:20.123Z","client.address":"1.2.3.4",)"
            R"("http.request.method":"GET","url.path":"/p","url.query":"q=1",)"
            R"("network.protocol.version":"1.1",)"
            R"("user_agent.original":"a \"b\"\u000a\u0080",)"
            R"("http.response.status_code":200,"http.response.body.bytes":7,)"
            R"("event.duration":1234567,"request_id":"rid","trace_id":")" +
                std::string(kTrace) + R"(","span_id":")" + span + "\",\"worker\":3}\n");
}

TEST_F(FormatTest, LogfmtQuotesWhatIsNoWord) {
  const std::string line = render(AccessStyle::Logfmt, "", record);
  EXPECT_TRUE(line.contains(" url.path=/p url.query=\"q=1\" "));
  EXPECT_TRUE(line.contains(R"( user_agent.original="a \"b\"\u000a\u0080" )"));
  EXPECT_TRUE(line.ends_with(" worker=3\n"));
}

TEST_F(FormatTest, NamesThatGunicornDoesNotKnow) {
  const std::vector<http::HeaderView> environ{{"REMOTE_USER", "jo"}};
  record.environ = environ;
  record.bytes_in = 99;
  record.queued = 5000;
  record.first_byte = 7000;
  record.gone = true;
  EXPECT_EQ(render(AccessStyle::Apache,
                   "%({request_id}x)s %({trace_id}x)s %({bytes_in}x)s %({queue_us}x)s "
                   "%({ttfb_us}x)s %({worker}x)s %({disconnect}x)s %({tls}x)s "
                   "%({REMOTE_USER}e)s %({NO}e)s",
                   record),
            "rid " + std::string(kTrace) + " 99 5 7 3 client - jo -\n");
  const auto format = AccessFormat::make(AccessStyle::Apache, "%({A}e)s%({b}x)s", 0);
  EXPECT_EQ(format.environ_names(), std::vector<std::string>{"A"});
  EXPECT_FALSE(format.wants_identity());
}

TEST_F(FormatTest, ARequestThatWasRefusedUnreadHasALineToo) {
  AccessRecord refused;
  refused.peer = &peer;
  refused.status = 400;
  EXPECT_TRUE(render(AccessStyle::Json, "", refused)
                  .contains(R"("http.response.status_code":400)"));
  EXPECT_EQ(render(AccessStyle::Apache, "%({request_id}x)s %(s)s", refused), "- 400\n");
}

TEST_F(FormatTest, FiltersKeepEveryFailure) {
  AccessFilter filter;
  EXPECT_TRUE(filter.passes(record, UINT32_MAX));
  filter.skip = {"/p"};
  EXPECT_FALSE(filter.passes(record, 0));
  record.status = 500;
  EXPECT_TRUE(filter.passes(record, 0));
  record.status = 200;
  record.gone = true;
  EXPECT_TRUE(filter.passes(record, 0));
  record.gone = false;
  filter = {};
  filter.slow = kSecond;
  EXPECT_FALSE(filter.passes(record, 0));
  filter = {};
  filter.min_status = 400;
  EXPECT_FALSE(filter.passes(record, 0));
  filter = {};
  filter.sample = 0.25;
  EXPECT_TRUE(filter.passes(record, UINT32_MAX / 5));
  EXPECT_FALSE(filter.passes(record, UINT32_MAX / 3));
}

// --- the file ---

TEST_F(FormatTest, APipeThatNobodyReadsHoldsNothingUp) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  SystemClock clock;
  std::uint64_t dropped = 0;
  {
    AccessLog log(AccessFormat::compile("%(s)s " + std::string(8000, 'x')), {},
                  std::move(*LineFile::open("-", ends[1])), {});
    // More than the pipe and the ring hold together.
    for (int i = 0; i < 1000; ++i) log.write(record, clock.wall());
    log.publish();
    dropped = log.take_dropped();
    EXPECT_EQ(log.take_dropped(), 0U);
  }
  EXPECT_GT(dropped, 400U);
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST_F(FormatTest, AFullDiskLosesLinesAndCounts) {
  SystemClock clock;
  auto log =
      std::make_unique<AccessLog>(AccessFormat::compile("%(s)s"), AccessLog::Options{},
                                  std::move(*LineFile::open("/dev/full")), LogRing{});
  log->write(record, clock.wall());
  log->publish();
  std::uint64_t lost = 0;
  while (lost == 0) lost = log->take_dropped();  // by its thread
  EXPECT_EQ(lost, 1U);
}

TEST_F(FormatTest, ALineThatNeverFitsIsNotWaitedFor) {
  constexpr std::size_t kSmall = 64;
  SharedMemory memory = SharedMemory::make(LogRing::footprint(kSmall));
  SystemClock clock;
  AccessLog log(AccessFormat::compile(std::string(100, 'x')),
                {.filter = {}, .block = true}, std::move(*LineFile::open("/dev/null")),
                LogRing(memory.get(), kSmall));
  log.write(record, clock.wall());
  EXPECT_EQ(log.take_dropped(), 1U);
}

TEST_F(FormatTest, WhoMayBlockLosesNothing) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  SystemClock clock;
  constexpr std::size_t kLines = 1000;
  constexpr std::size_t kLine = 8005;
  std::thread reader([&] {
    std::string block(65536, '\0');
    std::size_t left = kLines * kLine;
    while (left > 0) {
      const ssize_t n = ::read(ends[0], block.data(), block.size());
      ASSERT_GT(n, 0);
      left -= static_cast<std::size_t>(n);
    }
  });
  {
    AccessLog log(AccessFormat::compile("%(s)s " + std::string(8000, 'x')),
                  {.filter = {}, .block = true},
                  std::move(*LineFile::open("-", ends[1])), {});
    for (std::size_t i = 0; i < kLines; ++i) log.write(record, clock.wall());
    log.publish();
    EXPECT_EQ(log.take_dropped(), 0U);
  }
  reader.join();
  ::close(ends[0]);
  ::close(ends[1]);
}

// --- where no thread can be started ---

std::string read_all(int fd) {
  std::string all;
  std::string block(65536, '\0');
  while (true) {
    const ssize_t n = ::read(fd, block.data(), block.size());
    if (n <= 0) return all;
    all.append(block, 0, static_cast<std::size_t>(n));
  }
}

std::unique_ptr<AccessLog> without_thread(std::string_view format, bool block, int fd) {
  const NoThreads none;
  return std::make_unique<AccessLog>(AccessFormat::compile(format),
                                     AccessLog::Options{.filter = {}, .block = block},
                                     std::move(*LineFile::open("-", fd)), LogRing{});
}

TEST_F(FormatTest, C17WithoutAThreadTheLoopWrites) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
  SystemClock clock;
  auto log = without_thread("%(s)s", false, ends[1]);
  EXPECT_TRUE(log->burdens_loop());
  log->write(record, clock.wall());
  EXPECT_EQ(read_all(ends[0]), "");
  log->publish();
  EXPECT_EQ(read_all(ends[0]), "200\n");
  log->write(record, clock.wall());
  log->reopen();  // what was written before goes to the file before
  EXPECT_EQ(read_all(ends[0]), "200\n");
  log->write(record, clock.wall());
  log.reset();
  EXPECT_EQ(read_all(ends[0]), "200\n");
  ::close(ends[0]);
  ::close(ends[1]);
}

// The ring keeps what the pipe does not take, and each turn tries again.
TEST_F(FormatTest, C17WithoutAThreadTheLoopDoesNotWaitForAReader) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
  SystemClock clock;
  auto log = without_thread("%(s)s " + std::string(4000, 'x'), false, ends[1]);
  constexpr std::size_t kLines = 100;
  for (std::size_t i = 0; i < kLines; ++i) log->write(record, clock.wall());
  log->publish();
  std::size_t came = read_all(ends[0]).size();
  EXPECT_LT(came, kLines * 4005);
  while (came < kLines * 4005) {
    log->publish();
    came += read_all(ends[0]).size();
  }
  EXPECT_EQ(came, kLines * 4005);
  EXPECT_EQ(log->take_dropped(), 0U);
  log.reset();
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST_F(FormatTest, C17WithoutAThreadWhoMayBlockWaitsForItsReader) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  SystemClock clock;
  constexpr std::size_t kLines = 1000;
  constexpr std::size_t kLine = 8005;
  auto log = without_thread("%(s)s " + std::string(8000, 'x'), true, ends[1]);
  std::size_t came = 0;
  std::thread reader([&] {
    std::string block(65536, '\0');
    while (came < kLines * kLine) {
      const ssize_t n = ::read(ends[0], block.data(), block.size());
      ASSERT_GT(n, 0);
      came += static_cast<std::size_t>(n);
    }
  });
  for (std::size_t i = 0; i < kLines; ++i) log->write(record, clock.wall());
  EXPECT_EQ(log->take_dropped(), 0U);
  log.reset();
  reader.join();
  EXPECT_EQ(came, kLines * kLine);
  ::close(ends[0]);
  ::close(ends[1]);
}

}  // namespace
}  // namespace celadon::server
