#include "gateway/proxied.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "wire.h"

namespace celadon::gateway {
namespace {

// What is believed of a request that came by proxies.
class ProxiedTest : public ::testing::Test {
 protected:
  ProxiedTest() {
    options_.proxy_headers = true;
    options_.secure_scheme_headers = {{"X-Forwarded-Proto", "https"},
                                      {"X-Forwarded-Ssl", "on"}};
    options_.forwarded_allow = *net::Networks::parse("10.0.0.0/8");
    connection_.trusted = true;
  }

  void ask(std::string_view fields) {
    std::string text = "GET / HTTP/1.1\r\nHost: a\r\n";
    text.append(fields).append("\r\n");
    http::h1::HeadParser parser(limits_);
    ASSERT_EQ(parser.feed(text), http::h1::HeadParser::Step::Done);
    exchange_.begin(wire_, connection_, {});
    exchange_.take_head(text, parser.request());
  }
  Scheme scheme(std::string_view fields) {
    ask(fields);
    return scheme_of(exchange_, options_);
  }
  std::string client(std::string_view fields) {
    ask(fields);
    const auto found = client_by_proxies(exchange_, options_);
    return found ? found->ip_text() : std::string();
  }
  // The names that an application does not see.
  std::string hidden(std::string_view fields) {
    ask(fields);
    std::string names;
    for (const http::Field& field : exchange_.request().fields) {
      if (hides(exchange_, field, options_))
        names.append(exchange_.request().name(field)).append(" ");
    }
    return names;
  }

  EnvironOptions options_;
  http::Limits limits_;
  Wire wire_;
  server::Connection connection_;
  server::Exchange exchange_;
};

TEST_F(ProxiedTest, EN10WhoeverSaysHttpsIsBelievedIfTrusted) {
  EXPECT_EQ(scheme(""), Scheme::Http);
  EXPECT_EQ(scheme("X-Forwarded-Proto: https\r\n"), Scheme::Https);
  EXPECT_EQ(scheme("x-forwarded-ssl: on\r\n"), Scheme::Https);
  EXPECT_EQ(scheme("X-Forwarded-Proto: http\r\n"), Scheme::Http);
  connection_.trusted = false;
  EXPECT_EQ(scheme("X-Forwarded-Proto: https\r\n"), Scheme::Http);
}

TEST_F(ProxiedTest, EN10WhatContradictsItselfIsNoScheme) {
  EXPECT_EQ(scheme("X-Forwarded-Proto: https\r\nX-Forwarded-Ssl: off\r\n"),
            Scheme::Contradiction);
  EXPECT_EQ(scheme("X-Forwarded-Proto: https\r\nX-Forwarded-Proto: http\r\n"),
            Scheme::Contradiction);
}

TEST_F(ProxiedTest, S25TheClientIsWhoTheLastTrustedProxyNames) {
  EXPECT_EQ(client(""), "");
  EXPECT_EQ(client("X-Forwarded-For: 1.2.3.4\r\n"), "1.2.3.4");
  // What a client sent itself stands to the left of what a proxy has added.
  EXPECT_EQ(client("X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-For: 1.2.3.4\r\n"),
            "1.2.3.4");
  EXPECT_EQ(client("X-Forwarded-For: 6.6.6.6, 1.2.3.4, 10.1.1.1\r\n"), "1.2.3.4");
  EXPECT_EQ(client("X-Forwarded-For: 10.0.0.1, 10.1.1.1\r\n"), "10.0.0.1");
  EXPECT_EQ(client("Forwarded: for=\"[2001:db8::1]:80\"\r\n"), "2001:db8::1");
}

TEST_F(ProxiedTest, S25BehindAnUnknownHopNothingIsProved) {
  EXPECT_EQ(client("X-Forwarded-For: 1.2.3.4, unknown\r\n"), "");
  EXPECT_EQ(client("Forwarded: for=1.2.3.4, for=_hidden\r\n"), "");
  EXPECT_EQ(client("X-Forwarded-For: 1.2.3.4, nonsense, 10.1.1.1\r\n"), "");
}

TEST_F(ProxiedTest, EN10WhoIsNotTrustedOrNotAskedSaysNothing) {
  connection_.trusted = false;
  EXPECT_EQ(client("X-Forwarded-For: 1.2.3.4\r\n"), "");
  connection_.trusted = true;
  options_.proxy_headers = false;
  EXPECT_EQ(client("X-Forwarded-For: 1.2.3.4\r\n"), "");
}

TEST_F(ProxiedTest, WhatOnlyAProxyMaySayIsHiddenFromWhoAsksForThat) {
  constexpr std::string_view kFields = "X-Forwarded-For: 1.2.3.4\r\nX-Own: 1\r\n";
  EXPECT_EQ(hidden(kFields), "");
  options_.clear_untrusted_proxy_headers = true;
  EXPECT_EQ(hidden(kFields), "");
  connection_.trusted = false;
  EXPECT_EQ(hidden(kFields), "X-Forwarded-For ");
}

}  // namespace
}  // namespace celadon::gateway
