#include "ws/message_parser.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "model.h"

namespace celadon::ws {
namespace {

using model::close_payload;
using model::frame;
using model::FrameOptions;
using Step = MessageParser::Step;

constexpr FrameOptions kOpen{.fin = false};

struct Outcome {
  std::vector<std::string> seen;  // `1:hello` by opcode
  Fault fault = Fault::None;
  bool operator==(const Outcome&) const = default;
};

Outcome parse(std::string_view bytes, std::size_t stride, const Options& options) {
  MessageParser parser(options);
  Outcome out;
  for (std::size_t at = 0; at < bytes.size(); at += stride) {
    std::string_view in = bytes.substr(at, stride);
    Step step = parser.next(in);
    for (; step == Step::Message || step == Step::Control; step = parser.next(in)) {
      out.seen.push_back(std::to_string(static_cast<unsigned>(parser.opcode())) + ':' +
                         std::string(parser.data()));
    }
    if (step == Step::Faulty) {
      out.fault = parser.fault();
      break;
    }
    EXPECT_TRUE(in.empty());
  }
  return out;
}

// However it is cut.
Outcome parse(std::string_view bytes, const Options& options = {}) {
  const Outcome whole = parse(bytes, bytes.size(), options);
  for (std::size_t stride = 1; stride < std::min<std::size_t>(bytes.size(), 40);
       ++stride)
    EXPECT_EQ(parse(bytes, stride, options), whole) << stride;
  return whole;
}

Fault fault_of(std::string_view bytes, const Options& options = {}) {
  return parse(bytes, options).fault;
}

TEST(MessageParser, MessagesOfEachLengthAreRead) {
  for (const std::size_t size : {0, 1, 125, 126, 127, 300, 65535, 65536, 66000}) {
    const std::string payload(size, 'x');
    const Outcome out = parse(frame(Opcode::Binary, payload), 1 + size / 3, {});
    ASSERT_EQ(out.seen.size(), 1U) << size;
    EXPECT_EQ(out.seen[0], "2:" + payload);
  }
}

TEST(MessageParser, FragmentsAreOneMessageAndControlFramesComeBetween) {
  const std::string bytes =
      frame(Opcode::Text, "Hel", kOpen) + frame(Opcode::Ping, "p") +
      frame(Opcode::Continuation, "", kOpen) + frame(Opcode::Pong, "") +
      frame(Opcode::Continuation, "lo") + frame(Opcode::Binary, "\xFF") +
      frame(Opcode::Text, "");
  EXPECT_EQ(parse(bytes).seen,
            (std::vector<std::string>{"9:p", "10:", "1:Hello", "2:\xFF", "1:"}));
}

TEST(MessageParser, AKeyOfZeroesAndAnyOtherAreKeys) {
  const std::string bytes =
      frame(Opcode::Text, "plain", {.key = std::string_view("\0\0\0\0", 4)}) +
      frame(Opcode::Text, "other", {.key = "\xFF\x01\x80\x7F"});
  EXPECT_EQ(parse(bytes).seen, (std::vector<std::string>{"1:plain", "1:other"}));
}

TEST(MessageParser, WS03FramesThatBreakARule) {
  struct Case {
    const char* what;
    std::string bytes;
    Fault fault;
  };
  const std::string open = frame(Opcode::Text, "a", kOpen);
  const std::string sixteen = "\x82\xFE" + std::string("\0\x7D", 2) + "\1\2\3\4";
  const std::string wide = "\x82\xFF" + std::string("\0\0\0\0\0\0\xFF\xFF", 8);
  const std::string top = "\x82\xFF" + std::string("\x80\0\0\0\0\1\0\0", 8);
  const Case cases[]{
      {"no mask", frame(Opcode::Text, "a", {.masked = false}), Fault::Unmasked},
      {"RSV1", frame(Opcode::Text, "a", {.reserved = 0x40}), Fault::ReservedBits},
      {"RSV2", frame(Opcode::Text, "a", {.reserved = 0x20}), Fault::ReservedBits},
      {"RSV3", frame(Opcode::Text, "a", {.reserved = 0x10}), Fault::ReservedBits},
      {"RSV1 of a ping", frame(Opcode::Ping, "", {.reserved = 0x40}),
       Fault::ReservedBits},
      {"RSV1 of a continuation",
       open + frame(Opcode::Continuation, "", {.reserved = 0x40}), Fault::ReservedBits},
      {"126 bytes of ping", frame(Opcode::Ping, std::string(126, 'x')),
       Fault::LongControl},
      {"126 bytes of close", frame(Opcode::Close, std::string(126, 'x')),
       Fault::LongControl},
      {"a fragmented ping", frame(Opcode::Ping, "", kOpen), Fault::CutControl},
      {"a fragmented close", frame(Opcode::Close, "", kOpen), Fault::CutControl},
      {"two bytes for 125", sixteen, Fault::BadLength},
      {"eight bytes for 65535", wide, Fault::BadLength},
      {"the top bit", top, Fault::BadLength},
      {"text in a message", open + frame(Opcode::Text, "b"), Fault::Interleaved},
      {"binary in a message", open + frame(Opcode::Binary, "b", kOpen),
       Fault::Interleaved},
      {"a continuation", frame(Opcode::Continuation, "a"), Fault::NothingToGoOn},
      {"one behind a message",
       frame(Opcode::Text, "") + frame(Opcode::Continuation, ""), Fault::NothingToGoOn},
  };
  for (const Case& each : cases)
    EXPECT_EQ(fault_of(each.bytes + frame(Opcode::Ping, "late")), each.fault)
        << each.what;
  for (const unsigned opcode : {3, 4, 5, 6, 7, 11, 12, 13, 14, 15})
    EXPECT_EQ(fault_of(frame(opcode, "")), Fault::ReservedOpcode) << opcode;
}

TEST(MessageParser, WS03AFaultIsKnownAtTheByteThatShowsIt) {
  const Options options;
  for (const std::string& head :
       {std::string("\x83"), std::string("\xC1"), std::string("\x09"),
        std::string("\x81\x01"), std::string("\x89\xFE"),
        std::string("\x82\xFE\0\x7D", 4), std::string("\x80")}) {
    MessageParser parser(options);
    std::string_view in = std::string_view(head).substr(0, head.size() - 1);
    EXPECT_EQ(parser.next(in), Step::NeedMore);
    in = std::string_view(head).substr(head.size() - 1);
    EXPECT_EQ(parser.next(in), Step::Faulty);
    in = "more";
    EXPECT_EQ(parser.next(in), Step::Faulty);
  }
}

TEST(MessageParser, WS04CloseFrames) {
  EXPECT_EQ(parse(frame(Opcode::Close, "")).seen, (std::vector<std::string>{"8:"}));
  const std::string longest = close_payload(1000, std::string(123, 'r'));
  EXPECT_EQ(parse(frame(Opcode::Close, longest)).seen,
            (std::vector<std::string>{"8:" + longest}));
  EXPECT_EQ(fault_of(frame(Opcode::Close, "a")), Fault::BadClose);
  for (const unsigned code : {0, 999, 1004, 1005, 1006, 1015, 1016, 2000, 2999, 5000})
    EXPECT_EQ(fault_of(frame(Opcode::Close, close_payload(code, "r"))), Fault::BadClose)
        << code;
  for (const unsigned code : {1000, 1003, 1007, 1011, 1014, 3000, 4999})
    EXPECT_EQ(fault_of(frame(Opcode::Close, close_payload(code))), Fault::None) << code;
  // Bad, and cut off at the end.
  for (const char* reason : {"\xFF", "ok \xED\xA0\x80", "ok \xE2\x82"})
    EXPECT_EQ(fault_of(frame(Opcode::Close, close_payload(1000, reason))),
              Fault::BadReason);
}

TEST(MessageParser, WS04TextIsUtf8AcrossFragments) {
  const std::string euro = "\xE2\x82\xAC";
  const std::string good = frame(Opcode::Text, euro.substr(0, 1), kOpen) +
                           frame(Opcode::Ping, "\xFF") +
                           frame(Opcode::Continuation, euro.substr(1, 1), kOpen) +
                           frame(Opcode::Continuation, euro.substr(2));
  EXPECT_EQ(parse(good).seen, (std::vector<std::string>{"9:\xFF", "1:" + euro}));
  EXPECT_EQ(fault_of(frame(Opcode::Text, "\xC0\xAF")), Fault::BadText);
  EXPECT_EQ(fault_of(frame(Opcode::Text, euro.substr(0, 2))), Fault::BadText);
  EXPECT_EQ(fault_of(frame(Opcode::Binary, "\xC0\xAF")), Fault::None);
  // Before the fragment is whole, and with a message that has no end.
  std::string bytes = frame(Opcode::Text, "abc\xFFxyz", kOpen);
  EXPECT_EQ(fault_of(std::string_view(bytes).substr(0, bytes.size() - 3)),
            Fault::BadText);
  EXPECT_EQ(fault_of(std::string_view(bytes).substr(0, bytes.size() - 4)), Fault::None);
}

TEST(MessageParser, WS05AMessageIsRefusedByItsHead) {
  Options options;
  options.message = 1000;
  EXPECT_EQ(fault_of(frame(Opcode::Binary, std::string(1000, 'x')), options),
            Fault::None);
  // Nothing of the payload has come, nor the key.
  const std::string large = frame(Opcode::Binary, std::string(1001, 'x'));
  EXPECT_EQ(fault_of(std::string_view(large).substr(0, 4), options),
            Fault::MessageTooLarge);
  const std::string first = frame(Opcode::Binary, std::string(600, 'x'), kOpen);
  const std::string second = frame(Opcode::Continuation, std::string(401, 'x'));
  EXPECT_EQ(fault_of(first + second.substr(0, 4), options), Fault::MessageTooLarge);
  EXPECT_EQ(
      fault_of(first + frame(Opcode::Continuation, std::string(400, 'x')), options),
      Fault::None);
  // The largest that a head can say.
  const std::string endless =
      "\x82\xFF" + std::string("\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF");
  EXPECT_EQ(fault_of(endless, options), Fault::MessageTooLarge);
  EXPECT_EQ(fault_of(first + "\x80\xFF\x7F\xFF\xFF\xFF\xFF\xFF\xFF\xFF", options),
            Fault::MessageTooLarge);
}

TEST(MessageParser, WS05FragmentsAreCounted) {
  Options options;
  options.message = 1000;
  ASSERT_EQ(options.fragments(), 1024U);
  const std::string nothing = frame(Opcode::Continuation, "", kOpen);
  std::string bytes = frame(Opcode::Text, "", kOpen);
  for (int i = 1; i < 1023; ++i) bytes += nothing;
  const std::string last = frame(Opcode::Continuation, "");
  EXPECT_EQ(parse(bytes + last, 1 << 20, options).fault, Fault::None);
  EXPECT_EQ(parse(bytes + nothing + last, 1 << 20, options).fault,
            Fault::TooManyFragments);
  // The next message has its own.
  EXPECT_EQ(parse(bytes + last + bytes + last, 7, options).seen.size(), 2U);
}

TEST(MessageParser, WS05AnnouncedBytesTakeNoMemory) {
  const Options options;
  MessageParser parser(options);
  const std::string bytes = frame(Opcode::Binary, std::string(1 << 20, 'x'));
  std::string_view in = std::string_view(bytes).substr(0, 100);
  EXPECT_EQ(parser.next(in), Step::NeedMore);
  EXPECT_LE(parser.take_message().capacity(), 256U);
}

TEST(MessageParser, AMessageLeavesWithItsMemory) {
  const Options options;
  MessageParser parser(options);
  const std::string bytes = frame(Opcode::Binary, std::string(100'000, 'x'));
  std::string_view in = bytes;
  ASSERT_EQ(parser.next(in), Step::Message);
  const char* const where = parser.data().data();
  const std::string taken = parser.take_message();
  EXPECT_EQ(taken.data(), where);
  EXPECT_EQ(taken.size(), 100'000U);
  EXPECT_EQ(parser.next(in), Step::NeedMore);
  in = bytes;
  EXPECT_EQ(parser.next(in), Step::Message);
}

}  // namespace
}  // namespace celadon::ws
