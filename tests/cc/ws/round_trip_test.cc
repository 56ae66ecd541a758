// Random conversations: whatever a model client says, in whatever fragments and pieces,
// the server hears; and whatever the server sends, the model reads. A seed that fails
// is in the message.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "model.h"
#include "ws/close_code.h"
#include "ws/conversation.h"

namespace celadon::ws {
namespace {

using model::frame;
using model::Lines;

class Client {
 public:
  Client(unsigned seed, const std::optional<DeflateTerms>& terms)
      : random_(seed), terms_(terms) {
    if (terms_) {
      deflater_ = std::make_unique<Deflater>(std::max<int>(terms_->got_window, 9), 6);
      inflater_ = std::make_unique<Inflater>(terms_->sent_window);
    }
  }

  // Says something, and notes what must be heard of it.
  void say() {
    const unsigned kind = below(10);
    if (kind == 0) return control(Opcode::Ping, "ping:");
    if (kind == 1) return control(Opcode::Pong, "pong:");
    const bool is_text = kind < 6;
    const std::string message = is_text ? text() : noise();
    heard.push_back((is_text ? "text:" : "binary:") + message);
    fragment(is_text ? Opcode::Text : Opcode::Binary, message);
  }
  void close() {
    const std::string reason = below(2) != 0 ? "enough \xE2\x82\xAC" : "";
    heard.push_back("closed:4242 " + reason);
    closed = model::close_payload(4242, reason);
    bytes += masked(Opcode::Close, closed);
  }
  // What a message of the server's was.
  std::string read(const model::Frame& sent) {
    if (sent.reserved == 0) return sent.payload;
    EXPECT_EQ(sent.reserved, 0x40U);
    if (!terms_->keeps_sent) inflater_->reset(terms_->sent_window);
    std::string out;
    std::string payload = sent.payload + std::string(kDeflateTail);
    std::string_view in = payload;
    std::array<char, 1000> piece{};
    auto result = Inflater::Result{Inflater::Step::Full, 0};
    while (result.step == Inflater::Step::Full) {
      result = inflater_->inflate(in, piece);
      out.append(piece.data(), result.made);
    }
    return out;
  }

  unsigned below(unsigned most) { return static_cast<unsigned>(random_() % most); }
  std::string text() {
    constexpr std::array<std::string_view, 6> kWords{
        "a", "word ", "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x90\x98", "again "};
    std::string out;
    for (unsigned left = size() / 4; left > 0; --left) out += kWords[below(6)];
    return out;
  }
  std::string noise() {
    std::string out(size(), '\0');
    for (char& c : out) c = static_cast<char>(random_());
    return out;
  }

  std::string bytes;
  Lines heard;
  std::vector<std::string> pings;
  std::string closed;  // what its close frame holds

 private:
  // Around the ends of what a length can say.
  unsigned size() {
    switch (below(8)) {
      case 0: return 0;
      case 1: return 124 + below(4);
      case 2: return 65'530 + below(12);
      case 3: return below(20'000);
      default: return below(400);
    }
  }
  std::string masked(Opcode opcode, std::string_view payload, bool fin = true,
                     unsigned reserved = 0) {
    const auto number = static_cast<std::uint32_t>(random_());
    std::string key(4, '\0');
    std::memcpy(key.data(), &number, 4);
    return frame(opcode, payload, {.fin = fin, .reserved = reserved, .key = key});
  }
  void control(Opcode opcode, std::string name) {
    const std::string payload = noise().substr(0, below(126));
    heard.push_back(name + payload);
    if (opcode == Opcode::Ping) pings.push_back(payload);
    bytes += masked(opcode, payload);
  }
  // Control frames that come between are heard before the message.
  void fragment(Opcode opcode, const std::string& message) {
    std::string payload = message;
    unsigned reserved = 0;
    if (terms_ && below(3) != 0) {
      reserved = 0x40;
      payload.clear();
      if (!terms_->keeps_got) deflater_->reset();
      if (message.empty()) {
        payload = kDeflatedNothing;
      } else {
        deflater_->deflate(message, payload);
      }
    }
    const std::string line = heard.back();
    heard.pop_back();
    std::string_view rest = payload;
    while (below(3) == 0) {
      const std::size_t part =
          rest.empty() ? 0 : below(static_cast<unsigned>(rest.size()));
      bytes += masked(opcode, rest.substr(0, part), false, reserved);
      rest.remove_prefix(part);
      opcode = Opcode::Continuation;
      reserved = 0;
      if (below(3) == 0) control(Opcode::Ping, "ping:");
    }
    bytes += masked(opcode, rest, true, reserved);
    heard.push_back(line);
  }

  std::mt19937 random_;
  std::optional<DeflateTerms> terms_;
  std::unique_ptr<Deflater> deflater_;
  std::unique_ptr<Inflater> inflater_;
};

std::optional<DeflateTerms> terms_of(unsigned seed) {
  if (seed % 3 == 0 || !deflate_available()) return std::nullopt;
  return DeflateTerms{.sent_window = static_cast<std::uint8_t>(9 + seed % 7),
                      .got_window = static_cast<std::uint8_t>(9 + seed / 7 % 7),
                      .keeps_sent = seed % 2 == 0,
                      .keeps_got = seed / 2 % 2 == 0};
}

TEST(RoundTrip, WhatAClientSaysIsHeardHoweverItIsCut) {
  const Options options;
  DeflatePool pool(6);
  for (unsigned seed = 0; seed < 150; ++seed) {
    const auto terms = terms_of(seed);
    Client client(seed, terms);
    for (int i = 0; i < 12; ++i) client.say();
    client.close();

    Conversation talk(options, 0, terms, pool);
    OutQueue out;
    Lines heard;
    for (std::string_view rest = client.bytes; !rest.empty();) {
      const std::size_t most = client.below(4) == 0 ? 3 : 10'000;
      std::string_view in =
          rest.substr(0, 1 + client.below(static_cast<unsigned>(most)));
      rest.remove_prefix(in.size());
      while (const auto event = talk.receive(in, 0, out))
        heard.push_back(model::line_of(*event, talk.ending()));
    }
    ASSERT_EQ(heard, client.heard) << "seed " << seed;

    std::vector<model::Frame> answers;
    for (const std::string& ping : client.pings)
      answers.push_back({true, 0, Opcode::Pong, ping});
    answers.push_back({true, 0, Opcode::Close, client.closed});
    ASSERT_EQ(model::read_frames(model::drain(out)), answers) << "seed " << seed;
  }
}

TEST(RoundTrip, WhatAServerSendsIsRead) {
  const Options options;
  DeflatePool pool(3);
  for (unsigned seed = 0; seed < 150; ++seed) {
    const auto terms = terms_of(seed);
    Client client(seed, terms);
    Conversation talk(options, 0, terms, pool);
    OutQueue out;
    std::vector<std::string> messages;
    for (int i = 0; i < 10; ++i) {
      messages.push_back(client.below(2) == 0 ? client.text() : client.noise());
      ASSERT_EQ(talk.send_binary(messages.back(), out), Refusal::None);
    }
    const auto frames = model::read_frames(model::drain(out));
    ASSERT_EQ(frames.size(), messages.size()) << "seed " << seed;
    for (std::size_t i = 0; i < frames.size(); ++i)
      ASSERT_EQ(client.read(frames[i]), messages[i]) << "seed " << seed;
  }
}

}  // namespace
}  // namespace celadon::ws
