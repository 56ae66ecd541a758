#include "sim/talk.h"

#include <algorithm>
#include <array>
#include <utility>

#include "sim/content.h"
#include "sim/ids.h"

namespace celadon::sim {
namespace {

constexpr unsigned kLast = 0x80;
constexpr unsigned kDeflated = 0x40;
enum Opcode : unsigned { kGoesOn = 0, kText, kBinary, kClose = 8, kPing, kPong };

using namespace std::string_view_literals;

// What no client may send (http.md WS03 to WS05): `head` as it is, then a payload with
// its mask where the head says so.
struct Wrong {
  int code;
  bool is_control;
  std::string_view head;
  std::string_view payload;
};
constexpr std::array kWrongs{
    Wrong{1002, false, "\x81\x02"sv, "hi"sv},          // no mask
    Wrong{1002, false, "\xA1\x82"sv, "hi"sv},          // RSV2
    Wrong{1002, false, "\x91\x82"sv, "hi"sv},          // RSV3
    Wrong{1002, false, "\x83\x82"sv, "hi"sv},          // reserved opcodes
    Wrong{1002, true, "\x8B\x82"sv, "hi"sv},           // likewise
    Wrong{1002, true, "\xC9\x82"sv, "hi"sv},           // RSV1 of a ping
    Wrong{1002, true, "\x09\x82"sv, "hi"sv},           // a ping in fragments
    Wrong{1002, true, "\x89\xFE\x00\x7E"sv, ""sv},     // a ping of 126 bytes
    Wrong{1002, false, "\x80\x82"sv, "hi"sv},          // nothing goes on
    Wrong{1002, false, "\x81\xFE\x00\x02"sv, "hi"sv},  // not the shortest
    Wrong{1002, false, "\x82\xFF\x00\x00\x00\x00\x00\x00\x00\x02"sv, "hi"sv},
    Wrong{1002, false, "\x82\xFF\x80\x00\x00\x00\x00\x00\x00\x02"sv, "hi"sv},
    Wrong{1002, true, "\x88\x81"sv, "\x03"sv},              // half a code
    Wrong{1002, true, "\x88\x82"sv, "\x03\xED"sv},          // 1005
    Wrong{1002, true, "\x88\x82"sv, "\x03\xE7"sv},          // 999
    Wrong{1002, true, "\x88\x82"sv, "\x0B\xB7"sv},          // 2999
    Wrong{1007, true, "\x88\x84"sv, "\x03\xE8\xC3\x28"sv},  // its reason
    Wrong{1007, false, "\x81\x82"sv, "\xC3\x28"sv},
    Wrong{1007, false, "\x81\x82"sv, "a\xC3"sv},         // half a character
    Wrong{1007, false, "\x81\x83"sv, "\xED\xA0\x80"sv},  // a surrogate
};

void append_mask(std::string& out, const std::array<char, 4>& key) {
  out.append(key.data(), key.size());
}

void append_masked(std::string& out, std::string_view payload,
                   const std::array<char, 4>& key) {
  for (std::size_t i = 0; i < payload.size(); ++i)
    out += static_cast<char>(payload[i] ^ key[i % 4]);
}

std::array<char, 4> next_key(Choices& choices) {
  const std::uint64_t bits = choices.next();
  return {static_cast<char>(bits), static_cast<char>(bits >> 8),
          static_cast<char>(bits >> 16), static_cast<char>(bits >> 24)};
}

// Blocks that are stored as they are (RFC 1951 3.2.4), of which none is the last.
std::string stored_blocks(std::string_view plain) {
  constexpr std::size_t kLongest = 0xFFFF;
  std::string out;
  while (!plain.empty()) {
    const std::string_view piece = plain.substr(0, kLongest);
    plain.remove_prefix(piece.size());
    const auto size = static_cast<unsigned>(piece.size());
    for (const unsigned byte : {0U, size, size >> 8, ~size, ~size >> 8})
      out += static_cast<char>(byte & 0xFF);
    out += piece;
  }
  return out;
}

}  // namespace

Talk::Talk(const Request& plan, std::uint64_t content, std::uint64_t base,
           std::uint64_t limit)
    : plan_(plan), content_(content), base_(base), limit_(limit), masks_(content) {}

void Talk::speak(std::string& out, const FrameReader* heard, Nanos now) {
  if (heard) {
    deflates_ = plan_.deflate != 0 && heard->is_deflated();
    if (answer(out, *heard)) return;
  }
  while (goes_on()) {
    const Op& op = plan_.says[at_];
    if (!pass(op, heard, now)) return;
    ++at_;
    const std::size_t before = out.size();
    compose(out, op);
    if (out.size() > before) return;
  }
}

// True: it had something to answer.
bool Talk::answer(std::string& out, const FrameReader& heard) {
  if (has_closed_) return false;
  if (pings_ < heard.pings().size()) {
    const std::string& ping = heard.pings()[pings_++];
    if (std::cmp_greater(pings_, plan_.pongs)) return false;
    say_control(out, kPong, ping);
    return true;
  }
  if (!heard.close() || plan_.replies == 0) return false;
  stopped_ = true;
  const std::string& payload = *heard.close();
  const auto byte = [&](std::size_t i) {
    return static_cast<int>(static_cast<unsigned char>(payload[i]));
  };
  say_close(out, payload.size() < 2 ? 0 : byte(0) * 256 + byte(1));
  return true;
}

// False: it is not its time.
bool Talk::pass(const Op& op, const FrameReader* heard, Nanos now) {
  if (op.say() == Say::Hear) {
    const auto wanted = static_cast<std::size_t>(op.n);
    return heard && (heard->messages().size() >= wanted || heard->close());
  }
  if (op.say() != Say::Wait) return true;
  if (until_ == kNever) until_ = now + op.n * kMillisecond;
  if (now < until_) return false;
  until_ = kNever;
  return true;
}

void Talk::compose(std::string& out, const Op& op) {
  constexpr std::size_t kLongestControl = 125;
  const auto n = static_cast<std::size_t>(std::max<Number>(op.n, 0));
  switch (op.say()) {
    case Say::Text: return say_message(out, true, n);
    case Say::Binary: return say_message(out, false, n);
    case Say::Begin: return begin_text(out, n);
    case Say::More: return go_on(out, n, false);
    case Say::Last: return go_on(out, n, true);
    case Say::Shreds: return say_shreds(out, n);
    case Say::Ping:
    case Say::Pong: {
      std::string payload;
      append_content(payload, content_ + at_, 0, std::min(n, kLongestControl));
      return say_control(out, op.say() == Say::Ping ? kPing : kPong, payload);
    }
    case Say::Close: return say_close(out, static_cast<int>(op.n));
    case Say::Wrong: return say_wrong(out, n);
    case Say::Wait:
    case Say::Hear: return;
  }
}

// --- messages ---

std::string Talk::next_message(bool is_text, std::size_t size) const {
  return message_of(is_text, message_content(content_, messages_), size);
}

void Talk::say_message(std::string& out, bool is_text, std::size_t size) {
  if (is_under_way_) return;
  const std::uint64_t begin = out.size();
  message_ = next_message(is_text, size);
  say_fragment(out, kLast | (is_text ? kText : kBinary), message_);
  if (size > limit_) return note({.kind = Said::Kind::Wrong, .code = 1009}, begin, out);
  note({.kind = Said::Kind::Message, .is_text = is_text, .size = size}, begin, out);
  ++messages_;
}

// What its other fragments have, to its last one.
std::size_t Talk::size_of_rest(std::size_t first) const {
  std::size_t size = first;
  for (std::size_t i = at_; i < plan_.says.size(); ++i) {
    const Op& op = plan_.says[i];
    if (op.say() != Say::More && op.say() != Say::Last) continue;
    size += static_cast<std::size_t>(std::max<Number>(op.n, 0));
    if (op.say() == Say::Last) break;
  }
  return size;
}

void Talk::begin_text(std::string& out, std::size_t size) {
  if (is_under_way_) return;
  const std::uint64_t begin = out.size();
  message_ = next_message(true, size_of_rest(size));
  is_under_way_ = true;
  sent_ = size;
  say_fragment(out, kText, std::string_view(message_).substr(0, size));
  if (sent_ > limit_) note({.kind = Said::Kind::Wrong, .code = 1009}, begin, out);
}

void Talk::go_on(std::string& out, std::size_t size, bool last) {
  if (!is_under_way_) return;
  const std::uint64_t begin = out.size();
  say_fragment(out, (last ? kLast : 0) | kGoesOn,
               std::string_view(message_).substr(sent_, size));
  sent_ += size;
  is_under_way_ = !last;
  if (sent_ > limit_) {
    note({.kind = Said::Kind::Wrong, .code = 1009}, begin, out);
  } else if (last) {
    note({.kind = Said::Kind::Message, .is_text = true, .size = sent_}, begin, out);
    ++messages_;
  }
}

// It is not compressed: each fragment would have a block of its own.
void Talk::say_shreds(std::string& out, std::size_t count) {
  if (is_under_way_ || count == 0) return;
  const std::size_t most =
      static_cast<std::size_t>(std::max<std::uint64_t>(1024, limit_ / 256));
  const std::string message = next_message(false, count);
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint64_t begin = out.size();
    const unsigned first =
        (i + 1 == count ? kLast : 0) | (i == 0 ? unsigned{kBinary} : unsigned{kGoesOn});
    append_frame(out, first, std::string_view(message).substr(i, 1));
    if (i + 1 > most || i + 1 > limit_)
      return note({.kind = Said::Kind::Wrong, .code = 1009}, begin, out);
    if (i + 1 < count) continue;
    note({.kind = Said::Kind::Message, .is_text = false, .size = count}, begin, out);
    ++messages_;
  }
}

void Talk::say_fragment(std::string& out, unsigned first, std::string_view plain) {
  const bool is_first = (first & ~kLast) != kGoesOn;
  if (is_first) is_deflated_ = deflates_;
  if (!is_deflated_) return append_frame(out, first, plain);
  std::string payload = stored_blocks(plain);
  if ((first & kLast) != 0) payload += '\0';  // what ends on a flush, without its tail
  append_frame(out, first | (is_first ? kDeflated : 0), payload);
}

// --- control frames, and what nobody may send ---

void Talk::say_control(std::string& out, unsigned opcode, std::string payload) {
  const std::uint64_t begin = out.size();
  append_frame(out, kLast | opcode, payload);
  if (opcode != kPing) return;
  note({.kind = Said::Kind::Ping, .payload = std::move(payload)}, begin, out);
}

void Talk::say_close(std::string& out, int code) {
  const std::uint64_t begin = out.size();
  std::string payload;
  if (code != 0) payload = {static_cast<char>(code >> 8), static_cast<char>(code)};
  append_frame(out, kLast | kClose, payload);
  has_closed_ = true;
  note({.kind = Said::Kind::Close, .code = code, .payload = std::move(payload)}, begin,
       out);
}

// Where a message is under way, another one within it is wrong whatever else it is.
void Talk::say_wrong(std::string& out, std::size_t which) {
  constexpr unsigned char kMasked = 0x80;
  const Wrong& wrong = kWrongs[which % kWrongs.size()];
  const std::uint64_t begin = out.size();
  if (is_under_way_ && !wrong.is_control) {
    append_frame(out, kLast | kText, "hi");
    return note({.kind = Said::Kind::Wrong, .code = 1002}, begin, out);
  }
  out += wrong.head;
  if ((static_cast<unsigned char>(wrong.head[1]) & kMasked) != 0) {
    const std::array<char, 4> key = next_key(masks_);
    append_mask(out, key);
    append_masked(out, wrong.payload, key);
  } else {
    out += wrong.payload;
  }
  note({.kind = Said::Kind::Wrong, .code = wrong.code}, begin, out);
}

void Talk::note(Said said, std::uint64_t begin, const std::string& out) {
  said.begin = begin - base_;
  said.end = out.size() - base_;
  said_.push_back(std::move(said));
}

void Talk::append_frame(std::string& out, unsigned first, std::string_view payload) {
  constexpr unsigned kMasked = 0x80;
  const std::uint64_t size = payload.size();
  const int extra = size < 126 ? 0 : size <= 0xFFFF ? 2 : 8;
  out += static_cast<char>(first);
  const auto second = static_cast<unsigned>(extra == 0 ? size : extra == 2 ? 126 : 127);
  out += static_cast<char>(kMasked | second);
  for (int i = extra; i > 0; --i) out += static_cast<char>(size >> 8 * (i - 1));
  const std::array<char, 4> key = next_key(masks_);
  append_mask(out, key);
  append_masked(out, payload, key);
}

// --- what it comes to ---

Upward::Upward(const Talk& talk) {
  for (const Said& each : talk.said()) {
    switch (each.kind) {
      case Said::Kind::Message: messages.push_back(&each); break;
      case Said::Kind::Ping: pings.push_back(&each); break;
      case Said::Kind::Close:
      case Said::Kind::Wrong: end = &each; return;
    }
  }
}

std::size_t Upward::messages_within(std::uint64_t bytes) const noexcept {
  return static_cast<std::size_t>(std::ranges::count_if(
      messages, [bytes](const Said* each) { return each->end <= bytes; }));
}

std::size_t Upward::pings_within(std::uint64_t bytes) const noexcept {
  return static_cast<std::size_t>(std::ranges::count_if(
      pings, [bytes](const Said* each) { return each->end <= bytes; }));
}

}  // namespace celadon::sim
