#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "http/chars.h"
#include "http/date.h"
#include "http/forwarded.h"
#include "http/h1/chunked.h"
#include "http/h1/writer.h"
#include "http/headers.h"
#include "http/rejection.h"
#include "http/target.h"

namespace celadon::http {
namespace {

TEST(Chars, FindControlAgreesWithTheDefinitionAtEveryPlace) {
  for (int c = 0; c < 256; ++c) {
    const bool control = (c < 0x20 && c != '\t') || c == 0x7f;
    for (std::size_t at = 0; at < 40; ++at) {
      std::string text(40, 'a');
      text[at] = static_cast<char>(c);
      const char* end = text.data() + text.size();
      const char* found = find_control(text.data(), end);
      EXPECT_EQ(found, control ? text.data() + at : end) << c << " at " << at;
    }
  }
}

TEST(Headers, EveryKnownNameIsFoundInAnyCase) {
  for (std::size_t i = 0; i < kKnownHeaders; ++i) {
    const auto id = static_cast<HeaderId>(i);
    std::string name(header_name(id));
    EXPECT_EQ(header_id(name), id);
    for (char& c : name) {
      if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
    }
    EXPECT_EQ(header_id(name), id);
  }
  EXPECT_EQ(header_id("x-unknown"), HeaderId::Other);
  EXPECT_EQ(header_id("content_length"), HeaderId::Underscored);
  EXPECT_EQ(header_id(""), HeaderId::Other);
}

TEST(Headers, ListElementsAreTrimmedAndEmptyOnesKept) {
  std::vector<std::string> seen;
  for_each_element(" a ,\tb,, c", [&](std::string_view e) { seen.emplace_back(e); });
  EXPECT_EQ(seen, (std::vector<std::string>{"a", "b", "", "c"}));
}

TEST(Date, ImfFixdate) {
  char text[kDateSize + 1] = {};
  format_date(784111777, text);
  EXPECT_STREQ(text, "Sun, 06 Nov 1994 08:49:37 GMT");
  format_date(0, text);
  EXPECT_STREQ(text, "Thu, 01 Jan 1970 00:00:00 GMT");
  format_date(1709208000, text);
  EXPECT_STREQ(text, "Thu, 29 Feb 2024 12:00:00 GMT");
}

TEST(Target, DecodesOnce) {
  std::string out;
  percent_decode("/a%2Fb%252e%41", out);
  EXPECT_EQ(out, "/a/b%2eA");
}

TEST(Target, PrefixEndsWhereASegmentDoes) {
  for (const char* path : {"/a", "/a/", "/a/b", "/a//b", "/%61", "/%61/b", "/a/%2F"}) {
    EXPECT_EQ(prefix_size(path, "/a"), path[1] == '%' ? 4U : 2U) << path;
  }
  for (const char* path : {"", "/", "/ab", "/A", "/a.b", "/a%2Fb", "/a%2fb", "/b/a",
                           "*", "//a", "/a;b", "/%41", "%2Fa", "a", "/a%"}) {
    EXPECT_EQ(prefix_size(path, "/a"), std::nullopt) << path;
  }
  EXPECT_EQ(prefix_size("/caf%C3%A9/x", "/caf\xc3\xa9"), 10U);
  EXPECT_EQ(prefix_size("/a/b/c", "/a/b"), 4U);
  EXPECT_EQ(prefix_size("/a%2Fb/c", "/a/b"), std::nullopt);
  EXPECT_EQ(prefix_size("/x", ""), 0U);
  EXPECT_EQ(prefix_size("*", ""), std::nullopt);
}

TEST(Target, WhatIsBelowAPrefix) {
  EXPECT_EQ(below("/a/b", "/a"), "/b");
  EXPECT_EQ(below("/%61", "/a"), "");
  EXPECT_EQ(below("/ab", "/a"), "/ab");
  EXPECT_EQ(below("*", "/a"), "*");
}

TEST(Target, Authorities) {
  for (const char* good :
       {"a", "a:80", "a:", "1.2.3.4:65535", "[::1]", "[::1]:8", "a_b.c~-"}) {
    EXPECT_TRUE(is_authority(good)) << good;
  }
  for (const char* bad : {"", ":80", "a:65536", "a:b", "a b", "u@a", "[::1", "[]",
                          "[g::]", "[::1]x", "a/b", "::1", "a,b"}) {
    EXPECT_FALSE(is_authority(bad)) << bad;
  }
}

using Hops = std::vector<std::string_view>;

TEST(Forwarded, Lists) {
  EXPECT_EQ(parse_x_forwarded_for("1.1.1.1, 2.2.2.2:5,[::1]:6, ::2, bad host"),
            (Hops{"1.1.1.1", "2.2.2.2", "::1", "::2", ""}));
  EXPECT_EQ(parse_forwarded_for(
                "for=1.1.1.1;proto=https, For=\"[::1]:5\" , by=x;for=_hidden"),
            (Hops{"1.1.1.1", "::1", ""}));
  EXPECT_EQ(parse_forwarded_for("for=\"a,b;c\\\"\", for=2.2.2.2"),
            (Hops{"", "2.2.2.2"}));
}

TEST(Writer, FramingByStatusMethodAndVersion) {
  using h1::Framing;
  const auto choose = [](int status, bool head, Version version, bool known) {
    return h1::choose_framing(status, head, version, known);
  };
  constexpr auto k10 = Version::Http10;
  constexpr auto k11 = Version::Http11;
  EXPECT_EQ(choose(200, false, k11, true), Framing::Length);
  EXPECT_EQ(choose(200, false, k11, false), Framing::Chunked);
  EXPECT_EQ(choose(200, false, k10, false), Framing::Close);
  EXPECT_EQ(choose(200, true, k11, true), Framing::Length);
  EXPECT_EQ(choose(200, true, k11, false), Framing::None);
  EXPECT_EQ(choose(204, false, k11, true), Framing::None);
  EXPECT_EQ(choose(304, false, k11, true), Framing::Length);
}

TEST(Writer, RendersAHead) {
  const std::vector<HeaderView> fields{{"A", "1"}, {"B", ""}};
  ResponseHead head;
  head.status = 201;
  head.reason = "Made";
  head.headers = fields;
  std::string out;
  h1::append_head(out, head, h1::Framing::Length, 5,
                  {.lines = "Date: D\r\nServer: S\r\n", .close = true});
  EXPECT_EQ(
      out,
      "HTTP/1.1 201 Made\r\nA: 1\r\nB: \r\nContent-Length: 5\r\nDate: D\r\nServer: "
      "S\r\nConnection: close\r\n\r\n");
}

TEST(Chunked, OverheadIsBoundedOnceItIsLarge) {
  // CH06: extensions that outweigh the body by more than the ratio.
  Limits limits;
  h1::ChunkedDecoder decoder(limits);
  const std::string chunk = "1;" + std::string(200, 'a') + "\r\nx\r\n";
  std::string_view data;
  auto step = h1::ChunkedDecoder::Step::NeedMore;
  for (int i = 0; i < 10000 && step != h1::ChunkedDecoder::Step::Rejected; ++i) {
    std::string_view in = chunk;
    do {
      step = decoder.next(in, data);
    } while (step == h1::ChunkedDecoder::Step::Data);
  }
  EXPECT_EQ(decoder.rejection(), Rejection::BadChunk);
}

TEST(Chunked, TheBodyLimitHoldsForTheSum) {
  Limits limits;
  limits.body = 10;
  h1::ChunkedDecoder decoder(limits);
  std::string_view in = "5\r\nhello\r\n6\r\nworlds\r\n";
  std::string_view data;
  auto step = decoder.next(in, data);
  while (step == h1::ChunkedDecoder::Step::Data) step = decoder.next(in, data);
  EXPECT_EQ(step, h1::ChunkedDecoder::Step::Rejected);
  EXPECT_EQ(decoder.rejection(), Rejection::BodyTooLarge);
}

TEST(Rejections, EachHasAStatusAndWords) {
  for (int i = 1; i <= static_cast<int>(Rejection::AppTimedOut); ++i) {
    const auto info = rejection_info(static_cast<Rejection>(i));
    EXPECT_GE(info.status, 400) << i;
    EXPECT_FALSE(info.text.empty()) << i;
  }
}

}  // namespace
}  // namespace celadon::http
