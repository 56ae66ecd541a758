#include "gateway/websocket.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "wire.h"

namespace celadon::gateway {
namespace {

using server::Sent;
using ws::Opcode;
using ws::Refusal;
using ws::model::close_payload;
using ws::model::frame;

constexpr net::Leave kNow = net::Leave::Now;

// --- what it says of its states ---

TEST(SocketState, EveryStepIsInItsTable) {
  constexpr Life kAll[]{Life::Offered, Life::Open, Life::Closing, Life::Ended};
  int legal = 0;
  for (const Life from : kAll) {
    for (const Life to : kAll) {
      if (may_step({.life = from}, {.life = to}) && from != to) ++legal;
    }
  }
  EXPECT_EQ(legal, 4);
  EXPECT_FALSE(may_step({.life = Life::Offered}, {.life = Life::Ended}));
  EXPECT_FALSE(may_step({.life = Life::Closing}, {.life = Life::Open}));
}

TEST(SocketState, OnlyAnOpenOneIsHeldUp) {
  for (const Life life : {Life::Offered, Life::Closing, Life::Ended}) {
    EXPECT_FALSE(is_legal({.life = life, .inbox = Inbox::Full}));
    EXPECT_FALSE(is_legal({.life = life, .outlet = Outlet::Blocked}));
  }
  EXPECT_TRUE(is_legal({Life::Open, Inbox::Full, Outlet::Blocked}));
}

TEST(SocketState, EveryStateOfAConversationIsOneOfALife) {
  using enum ws::State;
  EXPECT_EQ(life_of(Open), Life::Open);
  EXPECT_EQ(life_of(ClosingByUs), Life::Closing);
  for (const ws::State each : {Answered, ClosingByPeer, Failed, GivenUp, Closed})
    EXPECT_EQ(life_of(each), Life::Ended);
}

// --- the handshake ---

TEST_F(SocketTest, WS01ItIsOfferedUntilItIsAccepted) {
  EXPECT_FALSE(socket_.accepted());
  EXPECT_TRUE(socket_.is_over());
  EXPECT_EQ(load_.websockets, 0U);
  accept();
  EXPECT_EQ(wire_.head,
            "101\nUpgrade: websocket\nConnection: Upgrade\nSec-WebSocket-Accept: "
            "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  EXPECT_TRUE(socket_.is_open());
  EXPECT_FALSE(socket_.is_over());
  EXPECT_EQ(counters_.websockets, 1U);
  EXPECT_EQ(load_.websockets, 1U);
}

TEST_F(SocketTest, WS02OnlyWhatWasOfferedIsAccepted) {
  EXPECT_EQ(socket_.accept("neither", {}).error(), Objection::NotOffered);
  const std::vector<http::HeaderView> wrong{{"x-own", "1"},
                                            {"sec-websocket-accept", "x"}};
  http::ResponseHead own;
  own.headers = wrong;
  EXPECT_EQ(socket_.accept("chat", own).error(), Objection::NotOwn);
  own.headers = own.headers.first(1);
  own.has_request_id = true;
  EXPECT_TRUE(socket_.accept("other", own));
  EXPECT_EQ(wire_.head,
            "101 with an id\nUpgrade: websocket\nConnection: Upgrade\n"
            "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\n"
            "Sec-WebSocket-Protocol: other\nx-own: 1");
}

TEST_F(SocketTest, AnAnswerThatHasBegunIsNoTunnel) {
  http::ResponseHead head;
  exchange_.send_whole(head, "page", {});
  EXPECT_EQ(socket_.accept({}, {}).error(), Objection::Late);
  EXPECT_FALSE(socket_.accepted());
}

// What the client had sent ahead was told of by then.
TEST_F(SocketTest, WhoLeavesWhileItIsAcceptedLeavesNothingBehind) {
  wire_.writes = Sent::Gone;
  wire_.meanwhile = [](server::Exchange& x) { x.take_body(frame(Opcode::Text, "a")); };
  EXPECT_EQ(socket_.accept({}, {}).error(), Objection::Gone);
  EXPECT_FALSE(socket_.accepted());
  loop_.settle();
  EXPECT_EQ(load_.websockets, 0U);
}

TEST_F(SocketTest, WhatCameAheadIsTakenAndAStopThatHasBegunIsSaid) {
  wire_.meanwhile = [](server::Exchange& x) {
    x.take_body(frame(Opcode::Text, "ahead"));
    x.note_closing(server::Closing::Restart);
  };
  accept();
  EXPECT_EQ(said(), (Strings{"8:1012"}));
  EXPECT_EQ(taken(), (Strings{"text:ahead"}));
}

TEST_F(SocketTest, WS01ABadHandshakeIsAnswered) {
  EXPECT_FALSE(refuse_handshake(exchange_, options_, kNow));
  EXPECT_EQ(wire_.head, "");
  ask("8");
  EXPECT_TRUE(refuse_handshake(exchange_, options_, kNow));
  EXPECT_EQ(wire_.head,
            "426\nContent-Type: text/plain\nUpgrade: websocket\nConnection: Upgrade\n"
            "Sec-WebSocket-Version: 13");
}

TEST_F(SocketTest, WS02AnOriginThatMayNotAskIsAnswered) {
  options_.origins = {"https://a"};
  EXPECT_FALSE(refuse_handshake(exchange_, options_, kNow));  // it is no browser
  ask("13", "Origin: https://A\r\n");
  EXPECT_FALSE(refuse_handshake(exchange_, options_, kNow));
  ask("13", "Origin: https://b\r\n");
  EXPECT_TRUE(refuse_handshake(exchange_, options_, kNow));
  EXPECT_EQ(wire_.head.substr(0, 3), "403");
}

// --- messages ---

TEST_F(SocketTest, MessagesGoBothWays) {
  accept();
  come(frame(Opcode::Text, "one") + frame(Opcode::Binary, "two"));
  EXPECT_EQ(socket_.news(), TestSocket::kIn);
  EXPECT_EQ(taken(), (Strings{"text:one", "binary:two"}));
  EXPECT_TRUE(socket_.send(true, "three", net::Leave::AtTurnEnd));
  EXPECT_TRUE(socket_.send(false, "four", kNow));
  EXPECT_EQ(wire_.leaves, (std::vector{net::Leave::AtTurnEnd, kNow}));
  EXPECT_EQ(said(), (Strings{"1:three", "2:four"}));
  EXPECT_EQ(counters_.messages_received, 2U);
  EXPECT_EQ(counters_.messages_sent, 2U);
}

TEST_F(SocketTest, WhatComesIsTakenWithinTheTurnByWhoAsks) {
  accept();
  exchange_.take_body(frame(Opcode::Text, "one"));
  EXPECT_EQ(socket_.news(), TestSocket::kIn);
  EXPECT_EQ(taken(), (Strings{"text:one"}));
}

TEST_F(SocketTest, WS08PingsAreAnsweredWhereNobodyReceives) {
  accept();
  come(frame(Opcode::Ping, "p"));
  EXPECT_EQ(said(), (Strings{"10:p"}));
  EXPECT_EQ(socket_.news(), TestSocket::kIn);
}

TEST_F(SocketTest, WS09WhatNobodyReceivesIsNotRead) {
  options_.queue = 2;
  accept();
  const std::string one = frame(Opcode::Text, "x");
  come(one + one + one + one + one);
  EXPECT_EQ(wire_.credited, 2 * one.size());
  Message message;
  EXPECT_TRUE(socket_.take(message));
  loop_.settle();
  EXPECT_EQ(wire_.credited, 3 * one.size());
  EXPECT_EQ(taken().size(), 4U);
  EXPECT_EQ(wire_.credited, 5 * one.size());
}

TEST_F(SocketTest, WS09BytesAreALimitAsWell) {
  accept();
  const std::string one = frame(Opcode::Binary, std::string(3 << 20, 'x'));
  come(one + one + one);
  EXPECT_EQ(wire_.credited, 2 * one.size());
  EXPECT_EQ(taken().size(), 3U);
}

TEST_F(SocketTest, WS09WhoSendsIsToldToWaitAndWhenNotTo) {
  accept();
  wire_.writes = Sent::Full;
  EXPECT_TRUE(socket_.send(true, "a", kNow));
  EXPECT_TRUE(socket_.is_blocked());
  wire_.writes = Sent::Ok;
  exchange_.note_room();
  EXPECT_FALSE(socket_.is_blocked());
  EXPECT_EQ(socket_.news(), TestSocket::kOut);
}

TEST_F(SocketTest, WS09AnEndIsNoWait) {
  accept();
  wire_.writes = Sent::Full;
  EXPECT_TRUE(socket_.send(true, "a", kNow));
  EXPECT_EQ(socket_.close(1000, {}, kNow), Refusal::None);
  EXPECT_FALSE(socket_.is_blocked());
  EXPECT_EQ(socket_.news(), TestSocket::kIn | TestSocket::kOut);
  EXPECT_FALSE(socket_.send(true, "b", kNow));
}

// --- its peer's time ---

TEST_F(SocketTest, WS08WhoIsSilentIsPingedAndGivenUp) {
  accept();
  pass(20 * kSecond + kMillisecond);
  EXPECT_EQ(said(), (Strings{"9:"}));
  pass(20 * kSecond + kMillisecond);
  EXPECT_EQ(said(), (Strings{"8:1011no answer to a ping"}));
  EXPECT_EQ(wire_.end, Wire::End::GivenUp);
  EXPECT_EQ(counters_.websocket_faults, 1U);
  EXPECT_EQ(log_.said, (Strings{"GET /chat?a=b: WebSocket closed with 1011: no answer "
                                "to a ping"}));
  EXPECT_EQ(socket_.how_it_ended().code, 1011);
}

TEST_F(SocketTest, WS08WhoTalksIsNotPinged) {
  accept();
  for (int i = 0; i < 10; ++i) {
    pass(15 * kSecond);
    come(frame(Opcode::Text, "x"));
    EXPECT_EQ(taken().size(), 1U);
  }
  EXPECT_EQ(said(), Strings{});
  pass(20 * kSecond + kMillisecond);
  EXPECT_EQ(said(), (Strings{"9:"}));
}

TEST_F(SocketTest, WS08WhoIsNotReadIsNotSilent) {
  options_.queue = 1;
  accept();
  come(frame(Opcode::Text, "a") + frame(Opcode::Text, "b"));
  pass(60 * kSecond);
  EXPECT_EQ(said(), Strings{});
  EXPECT_EQ(taken(), (Strings{"text:a", "text:b"}));
  loop_.settle();
  pass(19 * kSecond);
  EXPECT_EQ(said(), Strings{});
  pass(kSecond + kMillisecond);
  EXPECT_EQ(said(), (Strings{"9:"}));
}

TEST_F(SocketTest, WS08WhoDoesNotTakeWhatWasSentIsNotSilent) {
  accept();
  wire_.writes = Sent::Full;
  EXPECT_TRUE(socket_.send(true, "a", kNow));
  pass(60 * kSecond);
  EXPECT_EQ(said(), (Strings{"1:a"}));
  wire_.writes = Sent::Ok;
  exchange_.note_room();
  loop_.settle();
  pass(20 * kSecond + kMillisecond);
  EXPECT_EQ(said(), (Strings{"9:"}));
}

TEST_F(SocketTest, WS08ACloseThatIsNotAnsweredIsWaitedForInVain) {
  accept();
  EXPECT_EQ(socket_.close(4000, "why", kNow), Refusal::None);
  EXPECT_EQ(said(), (Strings{"8:4000why"}));
  EXPECT_FALSE(socket_.is_over());
  pass(5 * kSecond + kMillisecond);
  EXPECT_TRUE(socket_.is_over());
  EXPECT_EQ(wire_.end, Wire::End::GivenUp);
  EXPECT_EQ(socket_.how_it_ended().code, 4000);
  EXPECT_EQ(socket_.how_it_ended().reason, "why");
  EXPECT_EQ(counters_.websocket_faults, 0U);
}

// --- ends ---

TEST_F(SocketTest, WS08ThePeersCloseEndsTheTransportAtOnce) {
  accept();
  come(frame(Opcode::Text, "last") + frame(Opcode::Close, close_payload(4001, "bye")));
  EXPECT_EQ(said(), (Strings{"8:4001bye"}));
  EXPECT_EQ(wire_.end, Wire::End::Finished);
  EXPECT_EQ(socket_.news(), TestSocket::kIn | TestSocket::kOut | TestSocket::kOver);
  // What came before it may be received still.
  EXPECT_EQ(taken(), (Strings{"text:last"}));
  EXPECT_EQ(socket_.how_it_ended().code, 4001);
  EXPECT_EQ(socket_.how_it_ended().reason, "bye");
  come(frame(Opcode::Text, "late"));
  EXPECT_EQ(taken(), Strings{});
  EXPECT_EQ(wire_.ends, 1);
  EXPECT_EQ(socket_.news() & TestSocket::kOver, 0);
}

TEST_F(SocketTest, WS08OurCloseIsOverWithItsAnswer) {
  accept();
  EXPECT_EQ(socket_.close(1000, {}, kNow), Refusal::None);
  EXPECT_EQ(wire_.end, Wire::End::None);
  EXPECT_EQ(socket_.close(1000, {}, kNow), Refusal::NotOpen);
  socket_.news();
  come(frame(Opcode::Close, close_payload(1000)));
  EXPECT_EQ(wire_.end, Wire::End::Finished);
  EXPECT_NE(socket_.news() & TestSocket::kOver, 0);
}

// It stands behind messages that nobody receives.
TEST_F(SocketTest, WS08TheAnswerIsHeardThatStoodBehindAFullInbox) {
  options_.queue = 1;
  accept();
  come(frame(Opcode::Text, "a") + frame(Opcode::Text, "b") +
       frame(Opcode::Close, close_payload(1000)));
  EXPECT_EQ(wire_.end, Wire::End::None);
  EXPECT_EQ(socket_.close(1000, {}, kNow), Refusal::None);
  loop_.settle();
  EXPECT_EQ(wire_.end, Wire::End::Finished);
  // What had come before may be received.
  EXPECT_EQ(taken(), (Strings{"text:a"}));
}

TEST_F(SocketTest, HowItsApplicationEndsIsSaid) {
  const std::pair<WebSocket::Done, std::string> all[]{
      {WebSocket::Done::Returned, "8:1000"},
      {WebSocket::Done::Raised, "8:1011"},
      {WebSocket::Done::Killed, "8:1001"}};
  for (const auto& [how, wanted] : all) {
    ask();
    TestSocket socket(exchange_, share_);
    ASSERT_TRUE(socket.accept({}, {}));
    socket.end(how, kNow);
    EXPECT_EQ(said(), Strings{wanted});
    EXPECT_FALSE(socket.is_over());
  }
}

TEST_F(SocketTest, WhatItsApplicationHasNotReceivedEndsWithIt) {
  accept();
  come(frame(Opcode::Text, "a"));
  socket_.end(WebSocket::Done::Returned, kNow);
  EXPECT_FALSE(socket_.has_messages());
  come(frame(Opcode::Close, close_payload(1000)));
  EXPECT_TRUE(socket_.is_over());
}

TEST_F(SocketTest, WS09AStopIsSaidOnce) {
  accept();
  exchange_.note_closing(server::Closing::Stop);
  loop_.settle();
  loop_.settle();
  EXPECT_EQ(said(), (Strings{"8:1001"}));
  EXPECT_EQ(socket_.how_it_ended().code, 1001);
  EXPECT_FALSE(socket_.send(true, "late", kNow));
}

TEST_F(SocketTest, WS03AFaultIsSaidLoggedAndCountedOnce) {
  accept();
  exchange_.set_route("/<room>");
  come(frame(3, ""));
  come(frame(3, ""));
  EXPECT_EQ(said(), (Strings{"8:1002reserved opcode"}));
  EXPECT_EQ(log_.said, (Strings{"GET /chat?a=b route=/<room>: WebSocket closed with "
                                "1002: reserved opcode"}));
  EXPECT_EQ(log_.levels, (std::vector{Level::Info}));
  EXPECT_EQ(counters_.websocket_faults, 1U);
  EXPECT_EQ(wire_.end, Wire::End::Finished);
}

TEST_F(SocketTest, OneThatIsLostIs1006) {
  accept();
  exchange_.go();
  EXPECT_TRUE(socket_.is_over());
  EXPECT_EQ(socket_.news(), TestSocket::kIn | TestSocket::kOut | TestSocket::kOver);
  EXPECT_EQ(socket_.how_it_ended().code, ws::close_code::kLost);
  EXPECT_FALSE(socket_.send(true, "late", kNow));
  EXPECT_EQ(socket_.close(1000, {}, kNow), Refusal::NotOpen);
  loop_.settle();
}

TEST_F(SocketTest, OneWhoseWriteFailsIsLost) {
  accept();
  wire_.writes = Sent::Gone;
  EXPECT_FALSE(socket_.send(true, "a", kNow));
  EXPECT_TRUE(socket_.is_over());
  EXPECT_TRUE(share_.frames.empty());
  loop_.settle();
}

TEST_F(SocketTest, AnEndOfFileWithoutACloseIsTheEnd) {
  accept();
  exchange_.take_body(frame(Opcode::Text, "last"));
  exchange_.end_body();
  loop_.settle();
  EXPECT_TRUE(socket_.is_over());
  EXPECT_EQ(taken(), (Strings{"text:last"}));
  EXPECT_EQ(socket_.how_it_ended().code, ws::close_code::kLost);
}

TEST_F(SocketTest, ItIsCountedAsLongAsItLives) {
  {
    TestSocket other(exchange_, share_);
    ASSERT_TRUE(other.accept({}, {}));
    EXPECT_EQ(load_.websockets, 1U);
  }
  EXPECT_EQ(load_.websockets, 0U);
  loop_.settle();
}

// --- messages that wait ---

TEST(WaitingMessages, LeaveInTheirOrderWithoutGrowing) {
  WaitingMessages waiting;
  int pushed = 0;
  int popped = 0;
  for (; pushed < 30; ++pushed) waiting.push({true, std::to_string(pushed)});
  for (int i = 0; i < 10'000; ++i) {
    waiting.push({true, std::to_string(pushed++)});
    ASSERT_EQ(waiting.pop().data, std::to_string(popped++));
    ASSERT_EQ(waiting.count(), 30U);
  }
  while (!waiting.empty()) EXPECT_EQ(waiting.pop().data, std::to_string(popped++));
  EXPECT_EQ(popped, pushed);
  EXPECT_EQ(waiting.bytes(), 0U);
}

}  // namespace
}  // namespace celadon::gateway
