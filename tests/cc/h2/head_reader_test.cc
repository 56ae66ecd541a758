#include "h2/head_reader.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "h2/body_length.h"
#include "h2/trailer_reader.h"

namespace celadon::h2 {
namespace {

using http::Rejection;
using Fields = std::vector<std::pair<std::string, std::string>>;

class HeadReaderTest : public ::testing::Test {
 protected:
  Rejection read(const Fields& fields, bool ended = true) {
    reader_.reset();
    for (const auto& [name, value] : fields) reader_.take(name, value);
    return reader_.finish(ended);
  }
  // A good request with one more field, or without one of its pseudo-headers.
  static Fields with(const Fields& more) {
    Fields fields = kGood;
    fields.insert(fields.end(), more.begin(), more.end());
    return fields;
  }
  static Fields without(const std::string& name) {
    Fields fields = kGood;
    std::erase_if(fields, [&](const auto& f) { return f.first == name; });
    return fields;
  }
  static Fields replaced(const std::string& name, const std::string& value) {
    Fields fields = kGood;
    for (auto& f : fields) {
      if (f.first == name) f.second = value;
    }
    return fields;
  }
  Fields seen() {
    Fields found;
    http::Request& r = reader_.request();
    for (const http::Field& f : r.fields) found.emplace_back(r.name(f), r.value(f));
    return found;
  }
  std::string text(http::Piece piece) {
    return std::string(reader_.request().text(piece));
  }

  static inline const Fields kGood{{":method", "GET"},
                                   {":scheme", "https"},
                                   {":path", "/a?b=c"},
                                   {":authority", "example.org:443"}};
  Options options_;
  http::Limits limits_;
  HeadReader reader_{options_, limits_};
};

TEST_F(HeadReaderTest, ARequestIsWhatHttp1WouldHaveMadeOfIt) {
  ASSERT_EQ(read(with({{"accept", "*/*"}, {"x-thing", ""}})), Rejection::None);
  const http::Request& r = reader_.request();
  EXPECT_EQ(r.version, http::Version::Http2);
  EXPECT_EQ(text(r.method), "GET");
  EXPECT_EQ(text(r.target), "/a?b=c");
  EXPECT_EQ(r.path_text(), "/a");
  EXPECT_EQ(text(r.query), "b=c");
  EXPECT_EQ(r.body, http::BodyKind::None);
  EXPECT_EQ(seen(),
            (Fields{{"accept", "*/*"}, {"x-thing", ""}, {"host", "example.org:443"}}));
  EXPECT_EQ(reader_.pseudo(Pseudo::Scheme), "https");
  EXPECT_TRUE(reader_.pseudo(Pseudo::Protocol).empty());
}

TEST_F(HeadReaderTest, AReaderIsAsNewForTheNext) {
  EXPECT_EQ(read({{"Bad", "x"}}), Rejection::BadHeaderName);
  ASSERT_EQ(read(kGood), Rejection::None);
  EXPECT_EQ(seen(), (Fields{{"host", "example.org:443"}}));
}

TEST_F(HeadReaderTest, H201NamesAreLowerCaseTokensAndValuesClean) {
  for (const char* name :
       {"", "Accept", "a b", "x\n", "x:", "(x)", "h\xC3\xA9", "x\x7f"}) {
    EXPECT_EQ(read(with({{name, "v"}})), Rejection::BadHeaderName) << name;
  }
  for (const std::string& value :
       {std::string("a\rb"), std::string("a\nb"), std::string("a\0b", 3),
        std::string("\x01"), std::string("\x7f"), std::string(" a"), std::string("a "),
        std::string("\ta"), std::string("a\t"), std::string(" ")}) {
    EXPECT_EQ(read(with({{"x", value}})), Rejection::BadHeaderValue) << value;
  }
  for (const char* value : {"", "a b", "a\tb", "h\xC3\xA9"}) {
    EXPECT_EQ(read(with({{"x", value}})), Rejection::None) << value;
  }
}

TEST_F(HeadReaderTest, H202PseudoHeadersComeFirstAndOnceAndAreKnown) {
  for (const char* name : {":method", ":scheme", ":path"}) {
    EXPECT_EQ(read(without(name)), Rejection::BadPseudoHeader) << name;
  }
  for (const auto& [name, value] : kGood) {
    EXPECT_EQ(read(with({{name, value}})), Rejection::BadPseudoHeader) << name;
    EXPECT_EQ(read({{"accept", "x"}, {name, value}}), Rejection::BadPseudoHeader);
  }
  for (const char* name : {":status", ":", ":host", ":Method", ":path "}) {
    EXPECT_EQ(read(with({{name, "200"}})), Rejection::BadPseudoHeader) << name;
  }
}

TEST_F(HeadReaderTest, H203PathSchemeAndMethodHaveAGrammar) {
  for (const char* path : {"", "a", "*", "http://example.org/", "?q", "//x y", "/#x",
                           "/h\xC3\xA9", "/%0", "/%zz", "/%00", "/\t"}) {
    EXPECT_TRUE(is_malformed(read(replaced(":path", path)))) << path;
  }
  for (const char* path : {"/", "//", "/%20?a?b", "/*"}) {
    EXPECT_EQ(read(replaced(":path", path)), Rejection::None) << path;
  }
  for (const char* scheme : {"", "http://localhost/?", "1http", "ht tp", "h:", "ftp"}) {
    EXPECT_TRUE(is_malformed(read(replaced(":scheme", scheme)))) << scheme;
  }
  EXPECT_EQ(read(replaced(":scheme", "HTTP")), Rejection::None);
  for (const char* method : {"", "GET?", "G ET", "GET/", "\x01"}) {
    EXPECT_EQ(read(replaced(":method", method)), Rejection::BadPseudoHeader) << method;
  }
  EXPECT_EQ(read({{":method", "OPTIONS"},
                  {":scheme", "http"},
                  {":path", "*"},
                  {":authority", "a"}}),
            Rejection::None);
  EXPECT_EQ(reader_.request().path_text(), "*");
}

TEST_F(HeadReaderTest, H203WhatHttp1RefusesIsRefusedAlike) {
  EXPECT_EQ(read(replaced(":method", "TRACE")), Rejection::TraceMethod);
  EXPECT_EQ(read(replaced(":method", std::string(33, 'M'))), Rejection::UnknownMethod);
  EXPECT_EQ(read(replaced(":path", "/" + std::string(8190, 'p'))),
            Rejection::LineTooLong);
  EXPECT_EQ(read(with({{"expect", "200-maybe"}})), Rejection::UnmetExpectation);
  for (const Rejection why :
       {Rejection::TraceMethod, Rejection::UnknownMethod, Rejection::LineTooLong,
        Rejection::UnmetExpectation, Rejection::HeadTooLarge, Rejection::BodyTooLarge,
        Rejection::None}) {
    EXPECT_FALSE(is_malformed(why));
  }
}

TEST_F(HeadReaderTest, H204AuthorityAndHostAreOne) {
  EXPECT_EQ(read(with({{"host", "example.org:443"}})), Rejection::None);
  EXPECT_EQ(read(with({{"host", "EXAMPLE.org:443"}})), Rejection::None);
  EXPECT_EQ(seen(), (Fields{{"host", "EXAMPLE.org:443"}}));
  EXPECT_EQ(read(with({{"host", "example.org"}})), Rejection::BadHost);
  EXPECT_EQ(read(with({{"host", "evil.example"}})), Rejection::BadHost);
  EXPECT_EQ(read(with({{"host", "example.org:443"}, {"host", "example.org:443"}})),
            Rejection::BadHost);
  EXPECT_EQ(read(without(":authority")), Rejection::BadHost);
  Fields by_host = without(":authority");
  by_host.emplace_back("host", "a.b");
  EXPECT_EQ(read(by_host), Rejection::None);
  for (const char* authority : {"", "user@example.org", "example.org/x", "a b",
                                "a:port", "a:99999", "[::1", "a,b", "a\\b"}) {
    EXPECT_EQ(read(replaced(":authority", authority)), Rejection::BadHost) << authority;
  }
  for (const char* authority : {"a", "a:", "a:1", "[::1]:8000"}) {
    EXPECT_EQ(read(replaced(":authority", authority)), Rejection::None) << authority;
  }
}

TEST_F(HeadReaderTest, H205FieldsOfAConnectionAreNone) {
  for (const char* name : {"connection", "keep-alive", "proxy-connection",
                           "transfer-encoding", "upgrade"}) {
    EXPECT_EQ(read(with({{name, "x"}})), Rejection::ConnectionField) << name;
  }
  EXPECT_EQ(read(with({{"te", "trailers"}})), Rejection::None);
  for (const char* value : {"gzip", "trailers, deflate", ""}) {
    EXPECT_EQ(read(with({{"te", value}})), Rejection::ConnectionField) << value;
  }
}

TEST_F(HeadReaderTest, H206ALengthAgreesWithTheEnd) {
  const auto length = [](const char* value) {
    return with({{"content-length", value}});
  };
  EXPECT_EQ(read(length("5")), Rejection::BadContentLength);
  EXPECT_EQ(read(length("0")), Rejection::None);
  EXPECT_EQ(read(length("5"), false), Rejection::None);
  EXPECT_EQ(reader_.request().body, http::BodyKind::Length);
  EXPECT_EQ(reader_.request().content_length, 5U);
  EXPECT_EQ(read(kGood, false), Rejection::None);
  EXPECT_EQ(reader_.request().body, http::BodyKind::Chunked);
  EXPECT_EQ(read(with({{"content-length", "5"}, {"content-length", "5"}}), false),
            Rejection::BadContentLength);
  for (const char* value : {"", "-1", "+5", "5 5", "0x5", "99999999999999999999"}) {
    EXPECT_EQ(read(length(value), false), Rejection::BadContentLength) << value;
  }
  limits_.body = 4;
  EXPECT_EQ(read(length("5"), false), Rejection::BodyTooLarge);
}

TEST_F(HeadReaderTest, H206TheSumOfDataIsTheLength) {
  BodyLength announced(5, 100);
  EXPECT_EQ(announced.take(3), Rejection::None);
  EXPECT_EQ(announced.end(), Rejection::BadContentLength);
  EXPECT_EQ(announced.take(2), Rejection::None);
  EXPECT_EQ(announced.end(), Rejection::None);
  EXPECT_EQ(announced.take(1), Rejection::BadContentLength);
  BodyLength open(std::nullopt, 4);
  EXPECT_EQ(open.end(), Rejection::None);
  EXPECT_EQ(open.take(4), Rejection::None);
  EXPECT_EQ(open.take(1), Rejection::BodyTooLarge);
}

TEST_F(HeadReaderTest, H208ConnectNamesAHostAndNothingElse) {
  const Fields plain{{":method", "CONNECT"}, {":authority", "example.org:443"}};
  EXPECT_EQ(read(plain), Rejection::ConnectMethod);
  EXPECT_FALSE(is_malformed(Rejection::ConnectMethod));
  for (const auto& more : {std::pair{":path", "/"}, std::pair{":scheme", "https"}}) {
    Fields fields = plain;
    fields.emplace_back(more);
    EXPECT_EQ(read(fields), Rejection::BadPseudoHeader) << more.first;
  }
  EXPECT_EQ(read({{":method", "CONNECT"}}), Rejection::BadPseudoHeader);
  EXPECT_TRUE(is_malformed(read({{":method", "CONNECT"}, {":authority", "a"}})));
}

TEST_F(HeadReaderTest, H208AProtocolIsForWhoWasToldOfIt) {
  Fields fields = replaced(":method", "CONNECT");
  fields.emplace_back(":protocol", "websocket");
  EXPECT_EQ(read(fields, false), Rejection::BadPseudoHeader);
  options_.connect_protocol = true;
  ASSERT_EQ(read(fields, false), Rejection::None);
  EXPECT_EQ(reader_.pseudo(Pseudo::Protocol), "websocket");
  EXPECT_EQ(reader_.request().path_text(), "/a");
  EXPECT_EQ(read(with({{":protocol", "websocket"}})), Rejection::BadPseudoHeader);
  std::erase_if(fields, [](const auto& f) { return f.first == ":authority"; });
  EXPECT_EQ(read(fields, false), Rejection::BadPseudoHeader);
}

TEST_F(HeadReaderTest, H209CrumbsAreOneCookie) {
  ASSERT_EQ(
      read(with({{"cookie", "a=1"}, {"x", "y"}, {"cookie", "b=2"}, {"cookie", "c"}})),
      Rejection::None);
  EXPECT_EQ(
      seen(),
      (Fields{{"cookie", "a=1; b=2; c"}, {"x", "y"}, {"host", "example.org:443"}}));
  ASSERT_EQ(read(with({{"cookie", "a=1"}})), Rejection::None);
  EXPECT_EQ(seen()[0].second, "a=1");
  // Each counts as a field.
  limits_.fields = 3;  // with the host
  EXPECT_EQ(read(with({{"cookie", "a"}, {"cookie", "b"}})), Rejection::None);
  EXPECT_EQ(read(with({{"cookie", "a"}, {"cookie", "b"}, {"cookie", "c"}})),
            Rejection::HeadTooLarge);
}

TEST_F(HeadReaderTest, H223AListIsMeasuredWith32ForEachField) {
  const std::size_t own = 32 * 4 + 7 + 3 + 7 + 5 + 5 + 6 + 10 + 15;
  options_.header_list = static_cast<std::uint32_t>(own + 32 + 1 + 9);
  EXPECT_EQ(read(with({{"x", "123456789"}})), Rejection::None);
  EXPECT_EQ(read(with({{"x", "1234567890"}})), Rejection::HeadTooLarge);
  EXPECT_EQ(reader_.decoded(), own + 32 + 1 + 10);
}

TEST_F(HeadReaderTest, H223WhatIsRefusedIsCountedAndNotKept) {
  reader_.reset();
  for (const auto& [name, value] : kGood) reader_.take(name, value);
  for (int i = 0; i < 1000; ++i) reader_.take("x", std::string(4000, 'v'));
  EXPECT_EQ(reader_.finish(true), Rejection::HeadTooLarge);
  EXPECT_GT(reader_.decoded(), 4'000'000U);
  EXPECT_LT(reader_.weight(), 70'000U);
}

TEST_F(HeadReaderTest, OneFieldIsAsLongAsALineOfHttp1) {
  EXPECT_EQ(read(with({{"x", std::string(8187, 'v')}})), Rejection::None);
  EXPECT_EQ(read(with({{"x", std::string(8188, 'v')}})), Rejection::HeadTooLarge);
}

TEST_F(HeadReaderTest, RulesOfFieldsAreThoseOfHttp1) {
  ASSERT_EQ(read(with({{"proxy", "evil"}})), Rejection::None);  // HF11
  EXPECT_EQ(seen(), (Fields{{"host", "example.org:443"}}));
  EXPECT_EQ(read(with({{"content-type", "a"}, {"content-type", "b"}})),
            Rejection::RepeatedSingleton);
  ASSERT_EQ(read(with({{"expect", "100-continue"}}), false), Rejection::None);
  EXPECT_TRUE(reader_.request().expects_continue);
}

TEST_F(HeadReaderTest, APriorityIsRead) {
  ASSERT_EQ(read(with({{"priority", "u=1, i"}})), Rejection::None);
  EXPECT_EQ(reader_.priority(), (Priority{1, true}));
  ASSERT_EQ(read(kGood), Rejection::None);
  EXPECT_EQ(reader_.priority(), Priority{});
}

TEST_F(HeadReaderTest, H207TrailersAreJudgedAndKeptApart) {
  TrailerReader trailers(limits_);
  const auto judge = [&](const Fields& fields) {
    trailers.reset();
    for (const auto& [name, value] : fields) trailers.take(name, value);
    return trailers.why();
  };
  ASSERT_EQ(judge({{"x-sum", "1"}, {"x-end", ""}}), Rejection::None);
  const auto fields = trailers.fields();
  ASSERT_EQ(fields.size(), 2U);
  EXPECT_EQ(fields[0].name, "x-sum");
  EXPECT_EQ(fields[0].value, "1");
  EXPECT_EQ(fields[1].value, "");
  for (const Fields& bad :
       {Fields{{":status", "200"}}, Fields{{":path", "/"}}, Fields{{"X", "1"}},
        Fields{{"content-length", "1"}}, Fields{{"host", "a"}}, Fields{{"te", "gzip"}},
        Fields{{"", "1"}}, Fields{{"connection", "close"}}, Fields{{"x", " 1"}},
        Fields{{"x", "a\nb"}}}) {
    EXPECT_EQ(judge(bad), Rejection::BadTrailer) << bad[0].first;
  }
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(judge(Fields(100, {"x", "y"})), Rejection::None);
  }
  Fields many(101, {"x", "y"});
  EXPECT_EQ(judge(many), Rejection::HeadTooLarge);
}

}  // namespace
}  // namespace celadon::h2
