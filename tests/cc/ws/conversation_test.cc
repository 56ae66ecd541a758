#include "ws/conversation.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "model.h"
#include "ws/close_code.h"

namespace celadon::ws {
namespace {

using model::close_payload;
using model::frame;
using model::Frame;
using model::Lines;

Frame sent(Opcode opcode, std::string_view payload) {
  return {true, 0, opcode, std::string(payload)};
}

class ConversationTest : public ::testing::Test {
 protected:
  // What the application hears of bytes that come at once.
  Lines hear(std::string_view bytes) {
    return model::lines_of(talk_, bytes, out_, bytes.size());
  }
  std::vector<Frame> said() { return model::read_frames(model::drain(out_)); }

  Options options_;
  DeflatePool pool_{3};
  OutQueue out_;
  Conversation talk_{options_, 0, std::nullopt, pool_};
};

using Frames = std::vector<Frame>;

// --- messages ---

TEST_F(ConversationTest, MessagesGoBothWays) {
  EXPECT_EQ(hear(frame(Opcode::Text, "hello") + frame(Opcode::Binary, "\1\2")),
            (Lines{"text:hello", "binary:\1\2"}));
  EXPECT_EQ(talk_.send_text("h\xC3\xA9", out_), Refusal::None);
  EXPECT_EQ(talk_.send_binary("", out_), Refusal::None);
  EXPECT_EQ(said(),
            (Frames{sent(Opcode::Text, "h\xC3\xA9"), sent(Opcode::Binary, "")}));
}

TEST_F(ConversationTest, WhatIsSentWithAnOwnerIsHeldUntilItHasLeft) {
  int released = 0;
  const Owner owner{&released, [](void* at) noexcept { ++*static_cast<int*>(at); }};
  const std::string data(10'000, 'x');
  EXPECT_EQ(talk_.send_binary(data, out_, owner), Refusal::None);
  EXPECT_EQ(released, 0);
  EXPECT_EQ(said(), (Frames{sent(Opcode::Binary, data)}));
  EXPECT_EQ(released, 1);
  EXPECT_EQ(talk_.close(1000, "", 0, out_), Refusal::None);
  EXPECT_EQ(talk_.send_binary(data, out_, owner), Refusal::NotOpen);
  EXPECT_EQ(released, 2);
}

TEST_F(ConversationTest, WS08PingsAreAnsweredInOrderWithinAMessageToo) {
  const std::string bytes =
      frame(Opcode::Text, "a", {.fin = false}) + frame(Opcode::Ping, "one") +
      frame(Opcode::Ping, "") + frame(Opcode::Pong, "unasked") +
      frame(Opcode::Continuation, "b") + frame(Opcode::Ping, std::string(125, 'x'));
  EXPECT_EQ(hear(bytes), (Lines{"ping:one", "ping:", "pong:unasked", "text:ab",
                                "ping:" + std::string(125, 'x')}));
  EXPECT_EQ(said(), (Frames{sent(Opcode::Pong, "one"), sent(Opcode::Pong, ""),
                            sent(Opcode::Pong, std::string(125, 'x'))}));
}

TEST_F(ConversationTest, EventsArePulledOneByOne) {
  const std::string bytes = frame(Opcode::Text, "a") + frame(Opcode::Text, "b");
  std::string_view in = bytes;
  ASSERT_TRUE(talk_.receive(in, 0, out_));
  EXPECT_EQ(in, frame(Opcode::Text, "b"));
}

TEST_F(ConversationTest, AnApplicationPings) {
  EXPECT_EQ(talk_.ping("p", out_), Refusal::None);
  EXPECT_EQ(talk_.ping(std::string(126, 'p'), out_), Refusal::TooLong);
  EXPECT_EQ(said(), (Frames{sent(Opcode::Ping, "p")}));
  EXPECT_EQ(hear(frame(Opcode::Pong, "p")), (Lines{"pong:p"}));
}

// --- ends ---

TEST_F(ConversationTest, WS08ThePeersCloseIsAnsweredAsItCame) {
  EXPECT_EQ(hear(frame(Opcode::Close, close_payload(4001, "b\xC3\xBC")) +
                 frame(Opcode::Text, "late")),
            (Lines{"closed:4001 b\xC3\xBC"}));
  EXPECT_EQ(talk_.state(), State::ClosingByPeer);
  EXPECT_EQ(said(), (Frames{sent(Opcode::Close, close_payload(4001, "b\xC3\xBC"))}));
  EXPECT_EQ(talk_.send_text("late", out_), Refusal::NotOpen);
  EXPECT_EQ(talk_.ping("", out_), Refusal::NotOpen);
  EXPECT_EQ(talk_.close(1000, "", 0, out_), Refusal::NotOpen);
  EXPECT_EQ(talk_.due(), kNever);
  EXPECT_TRUE(out_.empty());
  talk_.on_transport_end();
  EXPECT_EQ(talk_.state(), State::Closed);
}

TEST_F(ConversationTest, WS08ACloseWithoutACodeIsAnsweredLikewise) {
  EXPECT_EQ(hear(frame(Opcode::Close, "")), (Lines{"closed:1005 "}));
  EXPECT_EQ(said(), (Frames{sent(Opcode::Close, "")}));
}

TEST_F(ConversationTest, WS08OurCloseWaitsForThePeers) {
  EXPECT_EQ(talk_.close(1001, "over", kSecond, out_), Refusal::None);
  EXPECT_EQ(talk_.state(), State::ClosingByUs);
  EXPECT_EQ(said(), (Frames{sent(Opcode::Close, close_payload(1001, "over"))}));
  // It had not read it yet: dropped, but a ping, which no more than a pong follows.
  EXPECT_EQ(hear(frame(Opcode::Text, "crossing") + frame(Opcode::Ping, "p")), Lines{});
  EXPECT_EQ(said(), (Frames{sent(Opcode::Pong, "p")}));
  EXPECT_EQ(talk_.due(), 6 * kSecond);
  EXPECT_EQ(hear(frame(Opcode::Close, close_payload(1001)) + frame(Opcode::Ping, "")),
            (Lines{"closed:1001 "}));
  EXPECT_EQ(talk_.state(), State::Answered);
  EXPECT_TRUE(out_.empty());
}

TEST_F(ConversationTest, WS08AnAnswerThatDoesNotComeIsNotWaitedForForEver) {
  EXPECT_EQ(talk_.close(1000, "", kSecond, out_), Refusal::None);
  talk_.on_time(6 * kSecond - 1, out_);
  EXPECT_EQ(talk_.state(), State::ClosingByUs);
  talk_.on_time(6 * kSecond, out_);
  EXPECT_EQ(talk_.state(), State::GivenUp);
  EXPECT_EQ(talk_.ending().code, close_code::kLost);
  EXPECT_EQ(said().size(), 1U);
}

TEST_F(ConversationTest, WS04WhatACloseMayHold) {
  EXPECT_EQ(talk_.close(1000, "\xFF", 0, out_), Refusal::BadReason);
  EXPECT_EQ(talk_.close(1000, std::string(124, 'r'), 0, out_), Refusal::TooLong);
  constexpr std::uint16_t kBad[]{0,    999,  1004, 1005, 1006,
                                 1015, 1016, 2000, 2999, 5000};
  for (const std::uint16_t code : kBad)
    EXPECT_EQ(talk_.close(code, "", 0, out_), Refusal::BadCode) << code;
  EXPECT_EQ(talk_.state(), State::Open);
  EXPECT_TRUE(out_.empty());
}

TEST_F(ConversationTest, WS03APeerThatBreaksARuleIsToldSo) {
  EXPECT_EQ(hear(frame(Opcode::Text, "fine") +
                 frame(Opcode::Text, "", {.masked = false}) + frame(Opcode::Ping, "")),
            (Lines{"text:fine", "closed:1002 frame without a mask"}));
  EXPECT_EQ(talk_.state(), State::Failed);
  EXPECT_EQ(talk_.ending().fault, Fault::Unmasked);
  EXPECT_EQ(said(),
            (Frames{sent(Opcode::Close, close_payload(1002, "frame without a mask"))}));
  EXPECT_EQ(hear(frame(Opcode::Close, close_payload(1002))), Lines{});
}

TEST_F(ConversationTest, AFaultBehindOurCloseIsNotAnswered) {
  EXPECT_EQ(talk_.close(1000, "", 0, out_), Refusal::None);
  model::drain(out_);
  EXPECT_EQ(hear(frame(3, "")), (Lines{"closed:1002 reserved opcode"}));
  EXPECT_EQ(talk_.state(), State::Failed);
  EXPECT_TRUE(out_.empty());
}

TEST_F(ConversationTest, ATransportThatEndsWithoutAWordWasLost) {
  EXPECT_EQ(hear(frame(Opcode::Text, "half", {.fin = false})), Lines{});
  talk_.on_transport_end();
  EXPECT_EQ(talk_.state(), State::Closed);
  EXPECT_EQ(talk_.ending().code, close_code::kLost);
  EXPECT_EQ(talk_.send_text("", out_), Refusal::NotOpen);
  talk_.on_transport_end();
}

TEST_F(ConversationTest, WS05ALargeMessageEndsWith1009) {
  EXPECT_EQ(hear("\x81\xFF" + std::string("\0\0\0\0\x01\0\0\x01", 8)),
            (Lines{"closed:1009 message too large"}));
}

// --- time ---

TEST_F(ConversationTest, WS08APeerThatIsSilentIsPingedAndGivenUp) {
  EXPECT_EQ(talk_.due(), 20 * kSecond);
  talk_.on_time(20 * kSecond - 1, out_);
  EXPECT_TRUE(out_.empty());
  talk_.on_time(20 * kSecond, out_);
  EXPECT_EQ(said(), (Frames{sent(Opcode::Ping, "")}));
  EXPECT_EQ(talk_.due(), 40 * kSecond);
  talk_.on_time(40 * kSecond, out_);
  EXPECT_EQ(talk_.state(), State::GivenUp);
  EXPECT_EQ(talk_.ending().fault, Fault::Silent);
  EXPECT_EQ(said(),
            (Frames{sent(Opcode::Close, close_payload(1011, "no answer to a ping"))}));
}

TEST_F(ConversationTest, WS08AnyByteShowsThatAPeerIsThere) {
  talk_.on_time(20 * kSecond, out_);
  const std::string bytes = frame(Opcode::Pong, "");
  std::string_view in = std::string_view(bytes).substr(0, 1);
  EXPECT_FALSE(talk_.receive(in, 39 * kSecond, out_));
  EXPECT_EQ(talk_.due(), 59 * kSecond);
  talk_.on_time(59 * kSecond, out_);
  EXPECT_EQ(said().size(), 2U);
  // Nothing was read, since the application's queue was full.
  talk_.on_reading_again(100 * kSecond);
  EXPECT_EQ(talk_.due(), 120 * kSecond);
}

TEST_F(ConversationTest, WS08APingIsWaitedForWhileWhatStandsBeforeItIsTaken) {
  talk_.on_time(20 * kSecond, out_, {.sent = 1000, .taken = 400});
  EXPECT_EQ(said(), (Frames{sent(Opcode::Ping, "")}));
  talk_.on_time(40 * kSecond, out_, {.sent = 5000, .taken = 401});
  EXPECT_EQ(talk_.due(), 60 * kSecond);
  // It has come: the time for its answer begins, and it is the last one.
  talk_.on_time(60 * kSecond, out_, {.sent = 5000, .taken = 1100});
  EXPECT_EQ(talk_.state(), State::Open);
  EXPECT_EQ(talk_.due(), 80 * kSecond);
  talk_.on_time(80 * kSecond, out_, {.sent = 5000, .taken = 5000});
  EXPECT_EQ(talk_.state(), State::GivenUp);
}

TEST_F(ConversationTest, WS08WhoTakesNothingOfWhatStandsBeforeAPingIsGivenUp) {
  talk_.on_time(20 * kSecond, out_, {.sent = 1000, .taken = 400});
  talk_.on_time(40 * kSecond, out_, {.sent = 1002, .taken = 400});
  EXPECT_EQ(talk_.state(), State::GivenUp);
}

TEST_F(ConversationTest, WS08NothingStandsBeforeAPingWhereAllWasTaken) {
  talk_.on_time(20 * kSecond, out_, {.sent = 1000, .taken = 1000});
  talk_.on_time(40 * kSecond, out_, {.sent = 3000, .taken = 3000});
  EXPECT_EQ(talk_.state(), State::GivenUp);
}

TEST_F(ConversationTest, WS08ACloseIsWaitedForWhileWhatStandsBeforeItIsTaken) {
  EXPECT_EQ(talk_.close(1000, "", 0, out_, {.sent = 1000, .taken = 400}),
            Refusal::None);
  talk_.on_time(5 * kSecond, out_, {.sent = 1004, .taken = 700});
  EXPECT_EQ(talk_.state(), State::ClosingByUs);
  EXPECT_EQ(talk_.due(), 10 * kSecond);
  talk_.on_time(10 * kSecond, out_, {.sent = 1004, .taken = 700});
  EXPECT_EQ(talk_.state(), State::GivenUp);
}

TEST(KeepAliveOptions, WS08EachMayBeOff) {
  const Question ping(20 * kSecond, {});
  Options options;
  options.ping_timeout = kNever;
  EXPECT_EQ(due({.heard = 0}, options), 20 * kSecond);
  EXPECT_EQ(due({.heard = 0, .ping = ping}, options), kNever);
  EXPECT_EQ(need({.heard = 0, .ping = ping}, options, kNever), Need::Nothing);
  options.ping_interval = kNever;
  EXPECT_EQ(due({.heard = 0}, options), kNever);
  EXPECT_EQ(need({.heard = 0}, options, kNever), Need::Nothing);
}

// --- the machine ---

TEST(ConversationStates, TheTableHoldsItsEdgesAndNoOther) {
  std::size_t found = 0;
  for (std::size_t from = 0; from < kStates; ++from) {
    for (std::size_t to = 0; to < kStates; ++to) {
      if (kStateTable.has(static_cast<State>(from), static_cast<State>(to))) ++found;
    }
  }
  EXPECT_EQ(found, std::size(kStateEdges));
}

TEST(ConversationStates, WhatIsSaidAndHeardInEach) {
  for (std::size_t i = 0; i < kStates; ++i) {
    const auto state = static_cast<State>(i);
    EXPECT_EQ(hears(state), state == State::Open || state == State::ClosingByUs);
    EXPECT_FALSE(hears(state) && ends(state));
    EXPECT_EQ(!hears(state) && !ends(state), state == State::Closed);
  }
}

// Every way to get somewhere, and whatever happens there.
struct Way {
  State to;
  void (*go)(Conversation&, OutQueue&);
};
void receive(Conversation& talk, const std::string& bytes, OutQueue& out) {
  std::string_view in = bytes;
  while (talk.receive(in, 0, out)) {
  }
}
constexpr Way kWays[]{
    {State::Open, [](Conversation&, OutQueue&) {}},
    {State::ClosingByUs,
     [](Conversation& talk, OutQueue& out) {
       EXPECT_EQ(talk.close(1000, "", 0, out), Refusal::None);
     }},
    {State::Answered,
     [](Conversation& talk, OutQueue& out) {
       EXPECT_EQ(talk.close(1000, "", 0, out), Refusal::None);
       receive(talk, frame(Opcode::Close, ""), out);
     }},
    {State::ClosingByPeer,
     [](Conversation& talk, OutQueue& out) {
       receive(talk, frame(Opcode::Close, ""), out);
     }},
    {State::Failed,
     [](Conversation& talk, OutQueue& out) { receive(talk, frame(3, ""), out); }},
    {State::GivenUp,
     [](Conversation& talk, OutQueue& out) {
       EXPECT_EQ(talk.close(1000, "", 0, out), Refusal::None);
       talk.on_time(3600 * kSecond, out);
     }},
    {State::Closed, [](Conversation& talk, OutQueue&) { talk.on_transport_end(); }},
};

TEST(ConversationStates, WhateverHappensInAnyStateIsAStepOfTheTable) {
  const Options options;
  DeflatePool pool(3);
  using Happening = void (*)(Conversation&, OutQueue&);
  const Happening happenings[]{
      [](Conversation& talk, OutQueue& out) {
        EXPECT_EQ(talk.send_text("t", out) == Refusal::None,
                  talk.state() == State::Open);
      },
      [](Conversation& talk, OutQueue& out) {
        const bool open = talk.state() == State::Open;
        EXPECT_EQ(talk.close(1000, "", 0, out) == Refusal::None, open);
      },
      [](Conversation& talk, OutQueue& out) { receive(talk, frame(1, "m"), out); },
      [](Conversation& talk, OutQueue& out) { receive(talk, frame(9, "p"), out); },
      [](Conversation& talk, OutQueue& out) { receive(talk, frame(8, ""), out); },
      [](Conversation& talk, OutQueue& out) { receive(talk, frame(3, ""), out); },
      [](Conversation& talk, OutQueue& out) { talk.on_time(3600 * kSecond, out); },
      [](Conversation& talk, OutQueue&) { talk.on_transport_end(); },
  };
  for (const Way& way : kWays) {
    for (const Happening happens : happenings) {
      Conversation talk(options, 0, std::nullopt, pool);
      OutQueue out;
      way.go(talk, out);
      ASSERT_EQ(talk.state(), way.to);
      model::drain(out);
      happens(talk, out);
      const State after = talk.state();
      EXPECT_TRUE(after == way.to || kStateTable.has(way.to, after));
      // Behind a close frame of ours, or without a transport, nothing is said, but for
      // the pong that a peer may ask for until it has closed.
      const auto frames = model::read_frames(model::drain(out));
      if (way.to == State::ClosingByUs) {
        for (const Frame& each : frames) EXPECT_EQ(each, sent(Opcode::Pong, "p"));
      } else if (way.to != State::Open) {
        EXPECT_TRUE(frames.empty());
      }
    }
  }
}

}  // namespace
}  // namespace celadon::ws
