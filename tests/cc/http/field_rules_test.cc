#include "http/field_rules.h"

#include <gtest/gtest.h>

#include <cctype>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

namespace celadon::http {
namespace {

// A request's fields, as a parser of any protocol hands them over.
struct Section {
  Section(const Section&) = delete;
  Section& operator=(const Section&) = delete;
  explicit Section(Limits own = {}, Version version = Version::Http11)
      : limits(own), rules(limits) {
    request.version = version;
  }

  Rejection add(std::string_view name, std::string_view value) {
    bytes += name;
    const std::size_t at = bytes.size();
    bytes += value;
    const std::string_view all = bytes;
    return rules.take(request, all.data(), all.substr(at - name.size(), name.size()),
                      all.substr(at));
  }
  Rejection add_all(
      std::initializer_list<std::pair<std::string_view, std::string_view>> fields) {
    for (const auto& [name, value] : fields) {
      const Rejection why = add(name, value);
      if (why != Rejection::None) return why;
    }
    return rules.finish(request);
  }

  Limits limits;
  std::string bytes;
  Request request;
  FieldRules rules;
};

std::string upper(std::string_view name) {
  std::string text(name);
  for (char& c : text) c = static_cast<char>(std::toupper(c));
  return text;
}

// Every known id, and the two that stand for all others.
std::vector<HeaderId> every_id() {
  std::vector<HeaderId> ids;
  for (std::size_t i = 0; i < kKnownHeaders; ++i)
    ids.push_back(static_cast<HeaderId>(i));
  ids.push_back(HeaderId::Underscored);
  ids.push_back(HeaderId::Other);
  return ids;
}

std::string_view some_name(HeaderId id) {
  if (id == HeaderId::Underscored) return "x_test";
  return id == HeaderId::Other ? "x-test" : header_name(id);
}

std::string_view good_value(HeaderId id) {
  switch (id) {
    case HeaderId::Host: return "a.test";
    case HeaderId::ContentLength: return "5";
    case HeaderId::TransferEncoding: return "chunked";
    case HeaderId::Expect: return "100-continue";
    default: return "v";
  }
}

TEST(FieldRules, NamesAreTokens_HF04) {
  for (const char* good : {"a", "X-Test", "x_test", "content-length", "!#$%&'*+-.^`|~"})
    EXPECT_TRUE(field_id(good)) << good;
  for (const char* bad : {"", "a b", "A(b)", "Bad[Name",
                          "\xef"
                          "foo",
                          "X-Test ", "Content-Length\x85", "Content\tLength",
                          ":authority", "a:b", "a\r", "host\n"}) {
    EXPECT_FALSE(field_id(bad)) << bad;
    Section section;
    EXPECT_EQ(section.add(bad, "v"), Rejection::BadHeaderName) << bad;
  }
  EXPECT_FALSE(field_id(std::string_view("a\0", 2)));
}

TEST(FieldRules, ANameIsTheSameInAnyCase) {
  for (const HeaderId id : every_id()) {
    EXPECT_EQ(field_id(some_name(id)), id) << some_name(id);
    EXPECT_EQ(field_id(upper(some_name(id))), id) << some_name(id);
  }
}

TEST(FieldRules, OnlySinglesMayNotRepeat_HF13) {
  for (const HeaderId id : every_id()) {
    Section section;
    EXPECT_EQ(section.add(some_name(id), good_value(id)), Rejection::None)
        << some_name(id);
    const Rejection again = section.add(upper(some_name(id)), good_value(id));
    EXPECT_EQ(again != Rejection::None, has_trait(id, Trait::Single)) << some_name(id);
  }
  Section section;
  EXPECT_EQ(section.add_all({{"host", "a"}, {"host", "a"}}), Rejection::BadHost);
  Section section1;
  EXPECT_EQ(section1.add_all({{"content-type", "a"}, {"content-type", "a"}}),
            Rejection::RepeatedSingleton);
}

TEST(FieldRules, WhatIsHiddenIsGone_HF11_AndCounted) {
  for (const HeaderId id : every_id()) {
    Section section;
    ASSERT_EQ(section.add(some_name(id), good_value(id)), Rejection::None);
    EXPECT_EQ(section.request.fields.empty(), has_trait(id, Trait::Hidden))
        << some_name(id);
    EXPECT_FALSE(section.rules.untouched());
  }
}

TEST(FieldRules, AnUnderscoreIsMarkedOrRefused_HF10) {
  for (const char* name : {"Transfer_Encoding", "Content_Length", "X_Forwarded_For"}) {
    Section lenient;
    ASSERT_EQ(lenient.add(name, "chunked"), Rejection::None);
    ASSERT_EQ(lenient.request.fields.size(), 1U);
    EXPECT_TRUE(has_trait(lenient.request.fields[0].id, Trait::Ambiguous));
    EXPECT_EQ(lenient.add_all({{"host", "a"}}), Rejection::None);
    EXPECT_EQ(lenient.request.body, BodyKind::None);
    Section strict(Limits{.refuse_underscores = true});
    EXPECT_EQ(strict.add(name, "chunked"), Rejection::BadHeaderName);
  }
}

TEST(FieldRules, TheNamesOfTheGroups) {
  // Written out: a table that is wrong must not judge itself.
  const auto names = [](Trait trait) {
    std::string found;
    for (const HeaderId id : every_id()) {
      if (has_trait(id, trait)) found += std::string(some_name(id)) + " ";
    }
    return found;
  };
  EXPECT_EQ(names(Trait::Single),
            "host content-length transfer-encoding content-type authorization ");
  EXPECT_EQ(names(Trait::Framing), "host content-length transfer-encoding ");
  EXPECT_EQ(names(Trait::OfHop),
            "transfer-encoding connection upgrade te trailer keep-alive "
            "proxy-authenticate proxy-authorization proxy-connection ");
  EXPECT_EQ(names(Trait::OfProxy),
            "forwarded x-forwarded-for x-forwarded-proto x-forwarded-protocol "
            "x-forwarded-ssl x-forwarded-host x-forwarded-port x-forwarded-prefix "
            "x-real-ip ");
  EXPECT_EQ(joint_of(HeaderId::Cookie), "; ");
  EXPECT_EQ(joint_of(HeaderId::Accept), ",");
}

TEST(FieldRules, AHostIsNeededAndLooksLikeOne_HO01_HO04) {
  EXPECT_EQ(Section().add_all({{"a", "b"}}), Rejection::BadHost);
  EXPECT_EQ(Section({}, Version::Http10).add_all({{"a", "b"}}), Rejection::None);
  Section section;
  for (const char* bad : {"", "a, b", "u@a", "a/p", "a:99999", "[::1"})
    EXPECT_EQ(Section().add("host", bad), Rejection::BadHost) << bad;
  // The one that was good last time is good again, and no other for that.
  EXPECT_EQ(section.add_all({{"host", "a.test"}}), Rejection::None);
  section.rules.reset();
  EXPECT_EQ(section.add_all({{"host", "a.test"}}), Rejection::None);
  section.rules.reset();
  EXPECT_EQ(section.add("host", "a.test/"), Rejection::BadHost);
}

TEST(FieldRules, WhatFramesTheBody) {
  Section section;
  ASSERT_EQ(section.add_all({{"host", "a"}, {"content-length", "005"}}),
            Rejection::None);
  EXPECT_EQ(section.request.body, BodyKind::Length);
  EXPECT_EQ(section.request.content_length, 5U);
  Section section2;
  ASSERT_EQ(section2.add_all({{"transfer-encoding", "Chunked"}, {"host", "a"}}),
            Rejection::None);
  EXPECT_EQ(section2.request.body, BodyKind::Chunked);
  for (const char* bad : {"", "+5", "5,5", "1e3", "9223372036854775808",
                          "99999999999999999999", "5 5", "0x5"}) {
    EXPECT_EQ(Section().add("content-length", bad), Rejection::BadContentLength) << bad;
  }
  for (const char* bad : {"", "gzip", "chunked, gzip", "chunked,", ", chunked",
                          "chunked, chunked", "chunked;x=1"}) {
    EXPECT_EQ(Section().add("transfer-encoding", bad), Rejection::BadTransferEncoding)
        << bad;
  }
  EXPECT_EQ(Section().add("transfer-encoding", "gzip, chunked"),
            Rejection::UnknownCoding);
  EXPECT_EQ(
      Section().add_all(
          {{"host", "a"}, {"transfer-encoding", "chunked"}, {"content-length", "5"}}),
      Rejection::BadTransferEncoding);
  EXPECT_EQ(Section({}, Version::Http10).add("transfer-encoding", "chunked"),
            Rejection::BadTransferEncoding);
  EXPECT_EQ(
      Section(Limits{.body = 4}).add_all({{"host", "a"}, {"content-length", "5"}}),
      Rejection::BodyTooLarge);
}

TEST(FieldRules, CN12WhoAsksForAnotherProtocol) {
  using Fields = std::initializer_list<std::pair<std::string_view, std::string_view>>;
  const auto asks = [](Fields fields, Version version = Version::Http11) {
    Section section({}, version);
    EXPECT_EQ(section.add("host", "a"), Rejection::None);
    EXPECT_EQ(section.add_all(fields), Rejection::None);
    return section.request.asks_to_upgrade();
  };
  EXPECT_TRUE(asks({{"upgrade", "websocket"}, {"connection", "keep-alive, Upgrade"}}));
  EXPECT_TRUE(asks({{"connection", "upgrade"}, {"upgrade", "x"}}));
  EXPECT_FALSE(asks({{"connection", "upgrade"}}));
  EXPECT_FALSE(asks({{"upgrade", "websocket"}}));
  EXPECT_FALSE(asks({{"upgrade", "websocket"}, {"connection", "upgraded"}}));
  EXPECT_FALSE(asks({{"connection", "upgrade"}, {"upgrade", "x"}}, Version::Http10));
  EXPECT_FALSE(
      asks({{"connection", "upgrade"}, {"upgrade", "x"}, {"content-length", "1"}}));
}

TEST(FieldRules, WhatIsSaidOfTheConnection) {
  Section section;
  ASSERT_EQ(section.add_all({{"host", "a"}, {"connection", "x, CLOSE"}}),
            Rejection::None);
  EXPECT_TRUE(section.request.close);
  Section section3({}, Version::Http10);
  ASSERT_EQ(section3.add_all({{"connection", "Keep-Alive"}}), Rejection::None);
  EXPECT_FALSE(section3.request.close);
  Section section4({}, Version::Http10);
  ASSERT_EQ(section4.add_all({{"connection", "closed"}}), Rejection::None);
  EXPECT_TRUE(section4.request.close);
  Section section5;
  ASSERT_EQ(section5.add("expect", "100-Continue"), Rejection::None);
  EXPECT_TRUE(section5.request.expects_continue);
  EXPECT_EQ(Section().add("expect", "x"), Rejection::UnmetExpectation);
  EXPECT_EQ(Section({}, Version::Http10).add("expect", "x"), Rejection::None);
}

TEST(FieldRules, ASectionHasABudget_HF09) {
  Section many(Limits{.fields = 2});
  EXPECT_EQ(many.add("proxy", ""), Rejection::None);
  EXPECT_EQ(many.add("a", ""), Rejection::None);
  EXPECT_EQ(many.add("a", ""), Rejection::HeadTooLarge);
  Section large(Limits{.head = 10});
  EXPECT_EQ(large.add("abc", "def"), Rejection::None);
  EXPECT_EQ(large.add("a", ""), Rejection::HeadTooLarge);
  Section fresh(Limits{.fields = 1});
  EXPECT_EQ(fresh.add("a", ""), Rejection::None);
  fresh.rules.reset();
  EXPECT_EQ(fresh.add("a", ""), Rejection::None);
}

TEST(TrailerRules, NothingThatFramesAndNothingUnclean_CH10) {
  const Limits limits;
  for (const HeaderId id : every_id()) {
    TrailerRules rules(limits);
    EXPECT_EQ(rules.take(some_name(id), good_value(id)) == Rejection::BadTrailer,
              has_trait(id, Trait::Framing))
        << some_name(id);
  }
  TrailerRules rules(limits);
  EXPECT_EQ(rules.take("", "v"), Rejection::BadTrailer);
  EXPECT_EQ(rules.take("x sum", "v"), Rejection::BadTrailer);
  EXPECT_EQ(rules.take("x-sum", "v\x01"), Rejection::BadTrailer);
  const Limits two{.fields = 2};
  TrailerRules few(two);
  EXPECT_EQ(few.take("a", ""), Rejection::None);
  EXPECT_EQ(few.take("a", ""), Rejection::None);
  EXPECT_EQ(few.take("a", ""), Rejection::HeadTooLarge);
}

using Verdict = AnswerRules::Verdict;

TEST(AnswerRules, WhatIsOfTheConnectionIsDropped_RS03) {
  for (const HeaderId id : every_id()) {
    AnswerFields says;
    AnswerRules rules(says);
    EXPECT_EQ(rules.take(id, "5") == Verdict::Dropped, has_trait(id, Trait::OfHop))
        << some_name(id);
  }
  AnswerFields says;
  AnswerRules rules(says);
  EXPECT_EQ(rules.take(HeaderId::Connection, "upgrade"), Verdict::Dropped);
  EXPECT_EQ(rules.take(HeaderId::Connection, "x , Close"), Verdict::Heard);
  EXPECT_TRUE(says.close);
}

TEST(AnswerRules, TrailersAreAnnouncedWhereTheyFollow) {
  AnswerFields says;
  EXPECT_EQ(AnswerRules(says, true).take(HeaderId::Trailer, "x"), Verdict::Keep);
  EXPECT_EQ(AnswerRules(says, true).take(HeaderId::Te, "x"), Verdict::Dropped);
}

TEST(AnswerRules, ALengthIsOneNumber_RS05) {
  AnswerFields says;
  AnswerRules rules(says);
  EXPECT_EQ(rules.take(HeaderId::ContentLength, " 5 "), Verdict::Heard);
  EXPECT_EQ(says.content_length, 5U);
  EXPECT_EQ(rules.take(HeaderId::ContentLength, "5"), Verdict::Bad);
  EXPECT_TRUE(rules.agree());
  EXPECT_EQ(rules.take(HeaderId::TransferEncoding, "chunked"), Verdict::Dropped);
  EXPECT_FALSE(rules.agree());
  for (const char* bad : {"", "-1", "+1", "1,1", "0x1", "9223372036854775808"}) {
    AnswerFields other;
    EXPECT_EQ(AnswerRules(other).take(HeaderId::ContentLength, bad), Verdict::Bad);
  }
}

TEST(AnswerRules, DateAndServerAreSaidOnce_RS08) {
  for (const HeaderId id : {HeaderId::Date, HeaderId::Server}) {
    AnswerFields says;
    AnswerRules rules(says);
    EXPECT_EQ(rules.take(id, "v"), Verdict::Keep);
    EXPECT_EQ(rules.take(id, "v"), Verdict::Heard);
    EXPECT_TRUE(id == HeaderId::Date ? says.has_date : says.has_server);
  }
  AnswerFields says;
  EXPECT_EQ(AnswerRules(says).take(HeaderId::XRequestId, "v"), Verdict::Keep);
  EXPECT_TRUE(says.has_request_id);
}

}  // namespace
}  // namespace celadon::http
