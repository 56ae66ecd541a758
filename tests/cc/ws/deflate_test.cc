#include "ws/deflate.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "model.h"
#include "ws/close_code.h"
#include "ws/conversation.h"

namespace celadon::ws {
namespace {

using model::frame;
using model::FrameOptions;
using model::Lines;
using namespace std::string_view_literals;

constexpr FrameOptions kCompressed{.reserved = 0x40};

// Text that deflates well, of which no two ranges are alike.
std::string prose(std::size_t size, unsigned seed = 1) {
  std::string out;
  while (out.size() < size) {
    seed = seed * 1664525 + 1013904223;
    out += "word" + std::to_string(seed >> 22) + ' ';
  }
  out.resize(size);
  return out;
}

// As a client deflates.
std::string deflated(Deflater& deflater, std::string_view message) {
  std::string out;
  deflater.deflate(message, out);
  return out;
}
std::string deflated(std::string_view message) {
  Deflater deflater(15, 6);
  return deflated(deflater, message);
}

// All that a message of a stream inflates to.
std::string inflated(Inflater& inflater, std::string message) {
  message += kDeflateTail;
  std::string out;
  std::string_view in = message;
  std::array<char, 100> piece{};
  auto result = Inflater::Result{Inflater::Step::Full, 0};
  while (result.step == Inflater::Step::Full) {
    result = inflater.inflate(in, piece);
    out.append(piece.data(), result.made);
  }
  EXPECT_EQ(result.step, Inflater::Step::Dry);
  EXPECT_TRUE(inflater.is_between_blocks());
  return out;
}

class DeflateTest : public ::testing::Test {
 protected:
  Lines hear(std::string_view bytes, std::size_t stride = 1 << 20) {
    OutQueue out;
    Conversation talk(options_, 0, terms_, pool_);
    return model::lines_of(talk, bytes, out, stride);
  }
  // However it is cut.
  Lines hear_cut(std::string_view bytes) {
    const Lines whole = hear(bytes);
    for (const std::size_t stride : {1, 2, 3, 7, 100, 5000})
      EXPECT_EQ(hear(bytes, stride), whole) << stride;
    return whole;
  }
  Lines hear_compressed(std::string_view payload) {
    return hear_cut(frame(Opcode::Text, payload, kCompressed));
  }

  Options options_{.deflate = {.enabled = true}};
  DeflateTerms terms_;
  DeflatePool pool_{6};
};

// --- what comes ---

TEST_F(DeflateTest, TheExamplesOfRfc7692) {
  // One block; the same with the window of the one before; a stored one; a final one;
  // two blocks (7.2.3.1 to 7.2.3.5).
  terms_.keeps_got = true;
  const std::string hello =
      frame(Opcode::Text, "\xf2\x48\xcd\xc9\xc9\x07\x00"sv, kCompressed);
  const std::string again = frame(Opcode::Text, "\xf2\x00\x11\x00\x00"sv, kCompressed);
  EXPECT_EQ(hear_cut(hello + again), (Lines{"text:Hello", "text:Hello"}));
  EXPECT_EQ(hear_compressed("\x00\x05\x00\xfa\xff\x48\x65\x6c\x6c\x6f\x00"sv),
            (Lines{"text:Hello"}));
  EXPECT_EQ(hear_compressed("\xf3\x48\xcd\xc9\xc9\x07\x00\x00"sv),
            (Lines{"text:Hello"}));
  EXPECT_EQ(hear_compressed("\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00"sv),
            (Lines{"text:Hello"}));
}

TEST_F(DeflateTest, WS07TheEmptyMessageAndBytesBehindAFinalBlock) {
  EXPECT_EQ(hear_compressed("\x00"sv), (Lines{"text:"}));
  EXPECT_EQ(hear_compressed(""), (Lines{"text:"}));
  // A final block that ends the message, and one that another message's follows.
  EXPECT_EQ(hear_compressed("\xf3\x48\xcd\xc9\xc9\x07\x00"sv), (Lines{"text:Hello"}));
  EXPECT_EQ(
      hear_compressed("\xf3\x48\xcd\xc9\xc9\x07\x00\xf2\x48\xcd\xc9\xc9\x07\x00"sv),
      (Lines{"text:HelloHello"}));
  // The second one leans on the first.
  EXPECT_EQ(hear_compressed("\xf3\x48\xcd\xc9\xc9\x07\x00\xf2\x00\x11\x00\x00"sv),
            (Lines{"text:HelloHello"}));
}

TEST_F(DeflateTest, WS07FinalBlocksAloneCostNoMoreThanTheirBytes) {
  std::string payload;
  for (int i = 0; i < 500'000; ++i) payload += "\x03\x00"sv;
  EXPECT_EQ(hear(frame(Opcode::Binary, payload, kCompressed)), (Lines{"binary:"}));
}

TEST_F(DeflateTest, MessagesThatFillThePiecesTheyAreInflatedIn) {
  for (const std::size_t size : {4095, 4096, 4097, 8192}) {
    const std::string message = prose(size);
    EXPECT_EQ(hear(frame(Opcode::Text, deflated(message), kCompressed)),
              (Lines{"text:" + message}));
  }
}

TEST_F(DeflateTest, FragmentsAndControlFramesBetween) {
  const std::string message = prose(20'000);
  const std::string payload = deflated(message);
  const std::size_t half = payload.size() / 2;
  const std::string bytes =
      frame(Opcode::Text, payload.substr(0, half), {.fin = false, .reserved = 0x40}) +
      frame(Opcode::Ping, "p") +
      frame(Opcode::Continuation, payload.substr(half), {.fin = false}) +
      frame(Opcode::Continuation, "") + frame(Opcode::Text, "as it is");
  EXPECT_EQ(hear_cut(bytes), (Lines{"ping:p", "text:" + message, "text:as it is"}));
}

TEST_F(DeflateTest, WS03OnlyTheFirstFragmentSaysThatItIsCompressed) {
  const std::string first = frame(Opcode::Text, "", {.fin = false, .reserved = 0x40});
  EXPECT_EQ(hear(first + frame(Opcode::Continuation, "", kCompressed)),
            (Lines{"closed:1002 reserved bit set"}));
  EXPECT_EQ(hear(frame(Opcode::Ping, "", kCompressed)),
            (Lines{"closed:1002 reserved bit set"}));
}

TEST_F(DeflateTest, WS04InflatedTextIsUtf8) {
  EXPECT_EQ(hear_compressed(deflated("good \xE2\x82\xAC")),
            (Lines{"text:good \xE2\x82\xAC"}));
  EXPECT_EQ(hear_compressed(deflated("bad \xFF and more")),
            (Lines{"closed:1007 text is not UTF-8"}));
  EXPECT_EQ(hear_compressed(deflated("cut \xE2\x82")),
            (Lines{"closed:1007 text is not UTF-8"}));
}

TEST_F(DeflateTest, WS07WhatIsNoDeflateIsRefused) {
  const Lines refused{"closed:1007 malformed compressed data"};
  EXPECT_EQ(hear_compressed("\xFF\xFF"), refused);
  // A block that is cut off, a window that is not there.
  const std::string payload = deflated(prose(500));
  EXPECT_EQ(hear_cut(frame(Opcode::Binary, payload.substr(0, 100), kCompressed)),
            refused);
  EXPECT_EQ(hear_compressed("\xf2\x00\x11\x00\x00"sv), refused);
}

// Zlib takes memory for a window once a message goes on behind a piece.
TEST_F(DeflateTest, WS07MemoryThatIsNotThereIsNotThePeersFault) {
  int given = 0;
  const ZlibMemory memory{.take =
                              [](void* opaque, unsigned items, unsigned size) {
                                int& count = *static_cast<int*>(opaque);
                                return count++ == 0 ? std::calloc(items, size)
                                                    : nullptr;
                              },
                          .give_back = [](void*, void* at) { std::free(at); },
                          .opaque = &given};
  pool_.put(std::make_unique<Inflater>(15, memory));
  const std::string message = prose(20'000);
  const std::string bytes = frame(Opcode::Text, deflated(message), kCompressed);
  EXPECT_EQ(hear(bytes, 5000), (Lines{"closed:1011 out of memory"}));
  EXPECT_GT(given, 1);
}

TEST_F(DeflateTest, WS07AMessageMayNotLeanOnTheOneBeforeUnlessThatWasAgreedOn) {
  const std::string hello =
      frame(Opcode::Text, "\xf2\x48\xcd\xc9\xc9\x07\x00"sv, kCompressed);
  const std::string again = frame(Opcode::Text, "\xf2\x00\x11\x00\x00"sv, kCompressed);
  EXPECT_EQ(hear_cut(hello + again),
            (Lines{"text:Hello", "closed:1007 malformed compressed data"}));
}

TEST_F(DeflateTest, WS07BombsStopBehindTheLimit) {
  options_.message = 10'000;
  const Lines refused{"closed:1009 message too large"};
  EXPECT_EQ(hear_compressed(deflated(std::string(10'000, 'x'))),
            (Lines{"text:" + std::string(10'000, 'x')}));
  EXPECT_EQ(hear_compressed(deflated(std::string(10'001, 'x'))), refused);
  EXPECT_EQ(hear_compressed(deflated(std::string(10'000'000, 'x'))), refused);
  // In fragments each of which is within it.
  const std::string payload = deflated(std::string(30'000, 'x'));
  EXPECT_EQ(hear_cut(frame(Opcode::Text, payload.substr(0, 10),
                           {.fin = false, .reserved = 0x40}) +
                     frame(Opcode::Continuation, payload.substr(10))),
            refused);
  // What does not grow is judged by its head, once it is far beyond.
  const std::string large = frame(Opcode::Text, std::string(14'000, '\0'), kCompressed);
  EXPECT_EQ(hear(std::string_view(large).substr(0, 4)), refused);
}

TEST_F(DeflateTest, WS05AnyNumberIsALimit) {
  for (const std::uint64_t most : {UINT64_MAX, UINT64_MAX / 5 * 4}) {
    options_.message = most;
    EXPECT_GE(options_.compressed(), most);
    EXPECT_EQ(hear_compressed(deflated("Hello")), (Lines{"text:Hello"}));
  }
}

TEST_F(DeflateTest, WS06WindowsOfEverySize) {
  const std::string message = prose(100'000);
  for (std::uint8_t bits = 9; bits <= 15; ++bits) {
    Deflater deflater(bits, 6);
    terms_.got_window = bits;
    EXPECT_EQ(hear(frame(Opcode::Text, deflated(deflater, message), kCompressed)),
              (Lines{"text:" + message}));
  }
  // Zlib makes none of 8 bits, but what it makes of short messages is one.
  terms_.got_window = 8;
  EXPECT_EQ(hear_compressed(deflated(prose(200))), (Lines{"text:" + prose(200)}));
}

// --- what goes ---

class SentTest : public DeflateTest {
 protected:
  // What frames a message makes.
  std::vector<model::Frame> sent(Conversation& talk, std::string_view message) {
    OutQueue out;
    EXPECT_EQ(talk.send_text(message, out), Refusal::None);
    return model::read_frames(model::drain(out));
  }
};

TEST_F(SentTest, MessagesAreDeflatedAndStandAlone) {
  Conversation talk(options_, 0, terms_, pool_);
  const std::string message = prose(50'000);
  for (int i = 0; i < 2; ++i) {
    const auto frames = sent(talk, message);
    ASSERT_EQ(frames.size(), 1U);
    EXPECT_EQ(frames[0].reserved, 0x40U);
    EXPECT_LT(frames[0].payload.size(), message.size() / 2);
    Inflater inflater(15);
    EXPECT_EQ(inflated(inflater, frames[0].payload), message);
  }
}

TEST_F(SentTest, WhatWasAgreedOnHelpsTheNextMessage) {
  terms_.keeps_sent = true;
  terms_.sent_window = 12;
  Conversation talk(options_, 0, terms_, pool_);
  const std::string message = prose(1000);
  const auto first = sent(talk, message);
  const auto second = sent(talk, message);
  EXPECT_LT(second[0].payload.size(), 50U);
  Inflater inflater(12);
  EXPECT_EQ(inflated(inflater, first[0].payload), message);
  EXPECT_EQ(inflated(inflater, second[0].payload), message);
}

TEST_F(SentTest, WhatDoesNotGetSmallerGoesAsItIs) {
  Conversation talk(options_, 0, terms_, pool_);
  const std::string small(127, 'x');
  EXPECT_EQ(sent(talk, small),
            (std::vector<model::Frame>{{true, 0, Opcode::Text, small}}));
  std::string noise;
  for (unsigned i = 0, seed = 1; i < 1000; ++i) {
    seed = seed * 1664525 + 1013904223;
    noise += static_cast<char>(seed >> 24);
  }
  EXPECT_EQ(sent(talk, noise)[0].reserved, 0U);
  // Once messages lean on each other, both sides need all of them.
  terms_.keeps_sent = true;
  Conversation leaning(options_, 0, terms_, pool_);
  EXPECT_EQ(sent(leaning, noise)[0].reserved, 0x40U);
}

TEST_F(SentTest, WS07TheEmptyMessageIsOneByte) {
  options_.deflate.smallest = 0;
  Conversation talk(options_, 0, terms_, pool_);
  EXPECT_EQ(sent(talk, "")[0],
            (model::Frame{true, 0x40, Opcode::Text, std::string(kDeflatedNothing)}));
}

// --- memory ---

TEST_F(DeflateTest, WS07AnIdleConversationHoldsNothingOfZlibs) {
  EXPECT_FALSE(pool_.keeps_memory());
  OutQueue out;
  Conversation talk(options_, 0, terms_, pool_);
  const std::string bytes = frame(Opcode::Text, deflated("Hello"), kCompressed);
  model::lines_of(talk, bytes, out, bytes.size());
  EXPECT_TRUE(pool_.keeps_memory());
  pool_.give_back_unused();
  pool_.give_back_unused();
  EXPECT_FALSE(pool_.keeps_memory());
  EXPECT_EQ(talk.send_text(prose(1000), out), Refusal::None);
  EXPECT_TRUE(pool_.keeps_memory());
  pool_.give_back_all();
  EXPECT_FALSE(pool_.keeps_memory());
}

TEST_F(DeflateTest, WhatEndsWithinAMessageGivesItsInflaterBack) {
  terms_.keeps_got = true;
  OutQueue out;
  Conversation talk(options_, 0, terms_, pool_);
  const std::string bytes =
      frame(Opcode::Text, deflated(prose(9000)), {.fin = false, .reserved = 0x40}) +
      frame(Opcode::Close, "");
  model::lines_of(talk, bytes, out, 100);
  EXPECT_TRUE(pool_.keeps_memory());
}

TEST_F(DeflateTest, AFaultInAMessageGivesItsInflaterBack) {
  OutQueue out;
  Conversation talk(options_, 0, terms_, pool_);
  const std::string bytes = frame(Opcode::Text, "\xFF\xFF", kCompressed);
  model::lines_of(talk, bytes, out, 1);
  EXPECT_TRUE(pool_.keeps_memory());
  // It is as new for who takes it.
  EXPECT_EQ(hear_compressed(deflated("Hello")), (Lines{"text:Hello"}));
}

}  // namespace
}  // namespace celadon::ws
