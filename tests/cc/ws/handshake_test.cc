#include "ws/handshake.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "http/h1/parser.h"

namespace celadon::ws {
namespace {

constexpr std::string_view kKey = "dGhlIHNhbXBsZSBub25jZQ==";

// A request as the server has it.
class Head {
 public:
  explicit Head(std::string text) : text_(std::move(text)), parser_(limits_) {
    EXPECT_EQ(parser_.feed(text_), http::h1::HeadParser::Step::Done) << text_;
  }
  [[nodiscard]] const http::Request& request() { return parser_.request(); }

 private:
  std::string text_;
  http::Limits limits_;
  http::h1::HeadParser parser_;
};

std::string head_of(std::string_view fields,
                    std::string_view line = "GET /chat HTTP/1.1") {
  return std::string(line) + "\r\nHost: a\r\n" + std::string(fields) + "\r\n";
}

// A good handshake, with one field line in the place of another.
std::string good(std::string_view instead_of = "", std::string_view line = "") {
  std::string fields =
      "Upgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n";
  if (instead_of.empty()) return head_of(fields + std::string(line));
  const auto at = fields.find(instead_of);
  fields.replace(at, fields.find('\n', at) + 1 - at, line);
  return head_of(fields);
}

std::optional<HandshakeFault> fault_of(std::string text,
                                       std::span<const std::string> origins = {}) {
  Head head(std::move(text));
  EXPECT_TRUE(is_handshake(head.request()));
  const auto read = read_handshake(head.request(), origins);
  return read ? std::nullopt : std::optional(read.error());
}

TEST(Handshake, WS01WhatIsAHandshake) {
  const auto is = [](std::string text) { return is_handshake(Head(text).request()); };
  EXPECT_TRUE(is(good()));
  EXPECT_TRUE(is(good("Upgrade", "UPGRADE: h2c, WebSocket\r\n")));
  EXPECT_TRUE(is(good("Connection", "Connection: keep-alive, upgrade\r\n")));
  EXPECT_TRUE(is(good("Connection", "Connection: close\r\nConnection: UPGRADE\r\n")));
  EXPECT_FALSE(is(good("Upgrade", "Upgrade: h2c\r\n")));
  EXPECT_FALSE(is(good("Upgrade", "Upgrade: websocket/13\r\n")));
  EXPECT_FALSE(is(good("Upgrade", "")));
  EXPECT_FALSE(is(good("Connection", "Connection: upgraded\r\n")));
  EXPECT_FALSE(is(good("Connection", "")));
  const std::string fields = "Upgrade: websocket\r\nConnection: Upgrade\r\n";
  EXPECT_FALSE(is(head_of(fields, "POST / HTTP/1.1")));
  EXPECT_FALSE(is(head_of(fields, "HEAD / HTTP/1.1")));
  EXPECT_FALSE(is(head_of(fields, "GET / HTTP/1.0")));
}

TEST(Handshake, WS01KeyAndVersion) {
  EXPECT_EQ(fault_of(good()), std::nullopt);
  EXPECT_EQ(fault_of(good("Sec-WebSocket-Key",
                          "sec-websocket-KEY: " + std::string(kKey) + "\r\n")),
            std::nullopt);
  EXPECT_EQ(fault_of(good("Sec-WebSocket-Key", "")), HandshakeFault::NoKey);
  EXPECT_EQ(fault_of(good("Sec-WebSocket-Key", "Sec-WebSocket-Key: AAAA\r\n")),
            HandshakeFault::NoKey);
  EXPECT_EQ(fault_of(good("", "Sec-WebSocket-Key: " + std::string(kKey) + "\r\n")),
            HandshakeFault::RepeatedKey);
  EXPECT_EQ(fault_of(good("", "Sec-WebSocket-Version: 13\r\n")),
            HandshakeFault::RepeatedVersion);
  for (const char* version : {"8", "013", "13, 8", "+13", "14", ""}) {
    const std::string line = "Sec-WebSocket-Version: " + std::string(version) + "\r\n";
    EXPECT_EQ(fault_of(good("Sec-WebSocket-Version", line)),
              HandshakeFault::OtherVersion)
        << version;
  }
  EXPECT_EQ(fault_of(good("Sec-WebSocket-Version", "")), HandshakeFault::OtherVersion);
  EXPECT_EQ(fault_of(good("", "Content-Length: 1\r\n")), HandshakeFault::HasBody);
  EXPECT_EQ(fault_of(good("", "Transfer-Encoding: chunked\r\n")),
            HandshakeFault::HasBody);
  EXPECT_EQ(fault_of(good("", "Content-Length: 0\r\n")), std::nullopt);
}

TEST(Handshake, WS01RefusalsHaveAStatusAndWords) {
  for (int i = 0; i <= static_cast<int>(HandshakeFault::WrongOrigin); ++i) {
    const auto fault = static_cast<HandshakeFault>(i);
    const HandshakeFaultInfo info = handshake_fault_info(fault);
    const bool version = fault == HandshakeFault::OtherVersion;
    EXPECT_EQ(info.status, version                                ? 426
                           : fault == HandshakeFault::WrongOrigin ? 403
                                                                  : 400);
    EXPECT_FALSE(info.text.empty());
    std::string fields;
    for (const auto& [name, value] : info.fields)
      fields.append(name).append(": ").append(value).append("\n");
    EXPECT_EQ(fields, version ? "Upgrade: websocket\nConnection: Upgrade\n"
                                "Sec-WebSocket-Version: 13\n"
                              : "");
  }
}

TEST(Handshake, WS02SubprotocolsAreThoseOffered) {
  Head head(good("",
                 "Sec-WebSocket-Protocol: chat, , superchat\r\nX: y\r\n"
                 "Sec-WebSocket-Protocol: Chat\r\n"));
  const auto read = read_handshake(head.request());
  ASSERT_TRUE(read);
  EXPECT_EQ(read->subprotocols,
            (std::vector<std::string_view>{"chat", "superchat", "Chat"}));
  EXPECT_TRUE(offers_subprotocol(*read, "superchat"));
  EXPECT_FALSE(offers_subprotocol(*read, "CHAT"));
  EXPECT_FALSE(offers_subprotocol(*read, ""));
  EXPECT_TRUE(is_of_handshake("sec-websocket-EXTENSIONS"));
  EXPECT_FALSE(is_of_handshake("Sec-WebSocket"));
  EXPECT_FALSE(is_of_handshake("Set-Cookie"));
  EXPECT_EQ(offered_subprotocols(head.request()), read->subprotocols);
  for (const char* bad : {"a b", "a;b", "\"a\"", "a, b/c"}) {
    EXPECT_EQ(
        fault_of(good("", "Sec-WebSocket-Protocol: " + std::string(bad) + "\r\n")),
        HandshakeFault::BadSubprotocol)
        << bad;
  }
}

TEST(Handshake, WS02OriginsThatMayAsk) {
  const std::vector<std::string> origins{"https://example.com", "https://a.test:8443"};
  const auto from = [&](std::string_view origin) {
    return fault_of(good("", "Origin: " + std::string(origin) + "\r\n"), origins);
  };
  EXPECT_EQ(from("https://example.com"), std::nullopt);
  EXPECT_EQ(from("https://EXAMPLE.com"), std::nullopt);
  EXPECT_EQ(from("https://a.test:8443"), std::nullopt);
  EXPECT_EQ(from("http://example.com"), HandshakeFault::WrongOrigin);
  EXPECT_EQ(from("https://example.com.evil.test"), HandshakeFault::WrongOrigin);
  EXPECT_EQ(from("null"), HandshakeFault::WrongOrigin);
  EXPECT_EQ(from(""), HandshakeFault::WrongOrigin);
  EXPECT_EQ(from("https://example.com\r\nOrigin: https://example.com"),
            HandshakeFault::WrongOrigin);
  EXPECT_EQ(fault_of(good(), origins), std::nullopt);
  EXPECT_EQ(fault_of(good("", "Origin: http://any.test\r\n")), std::nullopt);
}

std::vector<std::string> lines_of(const Acceptance& acceptance) {
  std::vector<std::string> out;
  for (const http::HeaderView& field : acceptance.fields())
    out.push_back(std::string(field.name) + ": " + std::string(field.value));
  return out;
}

TEST(Handshake, WS01TheAnswersFields) {
  Head head(good("",
                 "Sec-WebSocket-Protocol: chat\r\n"
                 "Sec-WebSocket-Extensions: permessage-deflate\r\n"));
  const auto read = read_handshake(head.request());
  ASSERT_TRUE(read);
  EXPECT_EQ(
      lines_of(accept(*read, "", {})),
      (std::vector<std::string>{"Upgrade: websocket", "Connection: Upgrade",
                                "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="}));
  const Acceptance both =
      accept(*read, "chat", {.enabled = true, .keeps_sent = true, .keeps_got = true});
  EXPECT_EQ(lines_of(both), (std::vector<std::string>{
                                "Upgrade: websocket", "Connection: Upgrade",
                                "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
                                "Sec-WebSocket-Protocol: chat",
                                "Sec-WebSocket-Extensions: permessage-deflate"}));
  EXPECT_TRUE(both.deflate);
}

// --- extensions ---

std::string parsed(std::string_view value) {
  std::vector<Extension> list;
  if (!parse_extensions(value, list)) return "malformed";
  std::string out;
  for (const Extension& extension : list) {
    out += '[' + std::string(extension.name);
    for (const auto& [name, parameter] : extension.parameters)
      out += ' ' + std::string(name) + (parameter ? '=' + *parameter : "");
    out += ']';
  }
  return out;
}

TEST(Extensions, AListIsRead) {
  EXPECT_EQ(parsed(""), "");
  EXPECT_EQ(parsed(" , ,"), "");
  EXPECT_EQ(parsed("a"), "[a]");
  EXPECT_EQ(parsed("a;b ; c = d,e;f=\"g\\h\" , i"), "[a b c=d][e f=gh][i]");
  for (const char* bad : {"a b", "a;", "a;;b", "a;b=", "a;b=\"", "a;b=\"c", "a;b=\"\"",
                          "a;b=\"c d\"", "a;b=\"c\\", "a=b", ";a", "a;b=c d", "a/b"}) {
    EXPECT_EQ(parsed(bad), "malformed") << bad;
    EXPECT_EQ(
        fault_of(good("", "Sec-WebSocket-Extensions: " + std::string(bad) + "\r\n")),
        HandshakeFault::BadExtension)
        << bad;
  }
}

struct Negotiation {
  std::string_view offer;
  std::string_view answer;  // empty: declined
};

std::string answer_to(std::string_view offer, const DeflateOptions& options) {
  std::vector<Extension> list;
  EXPECT_TRUE(parse_extensions(offer, list)) << offer;
  const auto terms = choose_deflate(list, options);
  return terms ? terms->text() : "";
}

TEST(Extensions, WS06OffersAreMetOrDeclined) {
  constexpr DeflateOptions kAll{.enabled = true, .keeps_sent = true, .keeps_got = true};
  const Negotiation cases[]{
      {"permessage-deflate", "permessage-deflate"},
      {"Permessage-Deflate", "permessage-deflate"},
      {"x-webkit-deflate-frame", ""},
      {"permessage-deflate; server_no_context_takeover",
       "permessage-deflate; server_no_context_takeover"},
      {"permessage-deflate; client_no_context_takeover",
       "permessage-deflate; client_no_context_takeover"},
      {"permessage-deflate; server_no_context_takeover=1", ""},
      {"permessage-deflate; client_no_context_takeover; client_no_context_takeover",
       ""},
      {"permessage-deflate; server_max_window_bits=9",
       "permessage-deflate; server_max_window_bits=9"},
      {"permessage-deflate; server_max_window_bits=\"10\"",
       "permessage-deflate; server_max_window_bits=10"},
      // Asked for, so it is said.
      {"permessage-deflate; server_max_window_bits=15",
       "permessage-deflate; server_max_window_bits=15"},
      {"permessage-deflate; server_max_window_bits=8", ""},
      {"permessage-deflate; server_max_window_bits", ""},
      {"permessage-deflate; server_max_window_bits=7", ""},
      {"permessage-deflate; server_max_window_bits=16", ""},
      {"permessage-deflate; server_max_window_bits=09", ""},
      {"permessage-deflate; server_max_window_bits=a", ""},
      {"permessage-deflate; server_max_window_bits=10; server_max_window_bits=10", ""},
      {"permessage-deflate; client_max_window_bits", "permessage-deflate"},
      {"permessage-deflate; client_max_window_bits=8",
       "permessage-deflate; client_max_window_bits=8"},
      {"permessage-deflate; client_max_window_bits=15", "permessage-deflate"},
      {"permessage-deflate; client_max_window_bits=16", ""},
      {"permessage-deflate; client_max_window_bits; client_max_window_bits=9", ""},
      {"permessage-deflate; unknown", ""},
      {"permessage-deflate; unknown=1, permessage-deflate", "permessage-deflate"},
      {"permessage-deflate; server_max_window_bits=8, other, permessage-deflate; "
       "client_max_window_bits=12",
       "permessage-deflate; client_max_window_bits=12"},
  };
  for (const Negotiation& each : cases)
    EXPECT_EQ(answer_to(each.offer, kAll), each.answer) << each.offer;
}

TEST(Extensions, WS06WhatTheServerWantsIsSaid) {
  EXPECT_EQ(answer_to("permessage-deflate", {}), "");
  EXPECT_EQ(
      answer_to("permessage-deflate", {.enabled = true}),
      "permessage-deflate; server_no_context_takeover; client_no_context_takeover");
  const DeflateOptions small{.enabled = true,
                             .keeps_sent = true,
                             .keeps_got = true,
                             .sent_window = 12,
                             .got_window = 11};
  EXPECT_EQ(answer_to("permessage-deflate", small),
            "permessage-deflate; server_max_window_bits=12");
  EXPECT_EQ(answer_to("permessage-deflate; client_max_window_bits", small),
            "permessage-deflate; server_max_window_bits=12; client_max_window_bits=11");
  EXPECT_EQ(answer_to("permessage-deflate; client_max_window_bits=9; "
                      "server_max_window_bits=10",
                      small),
            "permessage-deflate; server_max_window_bits=10; client_max_window_bits=9");
}

}  // namespace
}  // namespace celadon::ws
