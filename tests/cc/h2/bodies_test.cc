// Bodies of requests: credit, lengths, trailers, and what is left of them.
#include <gtest/gtest.h>

#include <string>

#include "house.h"

namespace celadon::h2 {
namespace {

using model::Fields;
using model::Frame;

TEST(Session, H210CreditReturnsAsTheBodyIsRead) {
  House house;
  house.reads_at_once = false;
  house.shake_hands();
  house.request(1, House::with(House::get(), {{"content-length", "65535"}}), false);
  for (int i = 0; i < 3; ++i)
    house.send(model::data(1, std::string(16'000, 'x'), false));
  EXPECT_TRUE(house.read(FrameType::WindowUpdate).empty());
  EXPECT_EQ(house.stream(1).unread(), 48'000U);
  house.session().credit(house.stream(1), 30'000);
  EXPECT_TRUE(house.read(FrameType::WindowUpdate).empty());  // not worth a frame yet
  house.session().credit(house.stream(1), 10'000);
  const auto updates = house.read(FrameType::WindowUpdate);
  ASSERT_EQ(updates.size(), 1U);
  EXPECT_EQ(updates[0].stream, 1);
  EXPECT_EQ(model::read_number(updates[0].payload), 40'000U);
  house.session().credit(house.stream(1), 1 << 30);  // no more than there is
  EXPECT_EQ(house.stream(1).unread(), 0U);
}

TEST(Session, H210WhoReadsNothingGetsNoMoreThanTheWindow) {
  House house;
  house.reads_at_once = false;
  house.shake_hands();
  house.request(1, House::get(), false);
  for (int i = 0; i < 5; ++i)
    house.send(model::data(1, std::string(16'000, 'x'), false));
  EXPECT_EQ(house.stream(1).unread(), 64'000U);  // the fifth did not fit
  const auto resets = house.read(FrameType::RstStream);
  ASSERT_EQ(resets.size(), 1U);
  EXPECT_EQ(resets[0].code(), ErrorCode::FlowControlError);
  EXPECT_EQ(house.counters().own_resets, 1U);
}

TEST(Session, WhatIsLeftOfABodyIsNoOtherStreamsLoss) {
  House house;
  house.reads_at_once = false;
  house.shake_hands();
  // More than the connection's window, by streams that nobody reads.
  for (StreamId id = 1; id < 100; id += 2) {
    house.request(id, House::get(), false);
    for (int i = 0; i < 4; ++i) {
      house.send(model::data(id, std::string(16'000, 'x'), false));
    }
    house.release(id);
    const auto frames = house.read();
    ASSERT_EQ(frames_of(frames, FrameType::RstStream, id).size(), 1U) << id;
    ASSERT_EQ(house.session().state(), State::Open) << id;
  }
}

TEST(Session, AnAnswerThatLeavesBeforeTheBodyCameStopsIt) {
  House house;
  house.shake_hands();
  house.request(1, House::get(), false);
  house.answer(1, "enough");
  const auto frames = house.read();
  ASSERT_EQ(frames.size(), 3U);
  EXPECT_TRUE(frames[1].ends());
  EXPECT_EQ(frames[2].type, FrameType::RstStream);
  EXPECT_EQ(frames[2].code(), ErrorCode::NoError);
  // What was on its way is dropped, and nothing is wrong with it.
  house.send(model::data(1, "late", true));
  EXPECT_EQ(house.session().state(), State::Open);
  EXPECT_EQ(house.counters().own_resets, 0U);
}

TEST(Session, WhoStillReadsHasTheBodyBehindItsAnswer) {
  House house;
  house.shake_hands();
  house.request(1, House::get(), false);
  Session& s = house.session();
  s.send_head(house.stream(1), 200, {}, {}, Part::Last);
  EXPECT_EQ(house.read().size(), 1U);
  house.send(model::data(1, "late", true));
  EXPECT_EQ(house.said(), (Lines{"1 GET /", "1 data late", "1 end"}));
  EXPECT_EQ(s.streams(), 1U);
  house.release(1);
  EXPECT_EQ(s.streams(), 0U);
  EXPECT_TRUE(house.read().empty());
}

TEST(Session, H206ABodyThatIsNotAsLongAsItSaidIsReset) {
  House house;
  house.shake_hands();
  const Fields five = House::with(House::get(), {{"content-length", "5"}});
  house.request(1, five, false);
  house.send(model::data(1, "abc", true));
  house.request(3, five, false);
  house.send(model::data(3, "abc", false) + model::data(3, "def", false));
  EXPECT_EQ(house.said(),
            (Lines{"1 GET /", "1 data abc", "1 failed: invalid Content-Length",
                   "1 reset 1", "3 GET /", "3 data abc",
                   "3 failed: invalid Content-Length", "3 reset 1"}));
  const auto resets = house.read(FrameType::RstStream);
  ASSERT_EQ(resets.size(), 2U);
  EXPECT_EQ(resets[0].code(), ErrorCode::ProtocolError);
  EXPECT_EQ(house.counters().malformed, 2U);
  EXPECT_EQ(house.counters().own_resets, 2U);
}

TEST(Session, ABodyThatIsTooLargeIsToldAndCanBeAnswered) {
  http::Limits limits;
  limits.body = 4;
  House house({}, limits);
  house.shake_hands();
  house.request(1, House::get(), false);
  house.send(model::data(1, "abcde", false));
  EXPECT_EQ(house.said(), (Lines{"1 GET /", "1 failed: request body too large"}));
  house.session().send_head(house.stream(1), 413, {}, {}, Part::Last);
  house.release(1);
  const auto frames = house.read();
  ASSERT_EQ(frames.size(), 2U);
  EXPECT_EQ(frames[1].code(), ErrorCode::NoError);
}

TEST(Session, H207TrailersEndTheStreamAndAreToldApart) {
  House house;
  house.shake_hands();
  house.request(1, House::get(), false);
  house.send(model::data(1, "x", false) + house.head(1, {{"x-sum", "1"}}, true));
  EXPECT_EQ(house.said(),
            (Lines{"1 GET /", "1 data x", "1 trailer x-sum: 1", "1 end"}));
  EXPECT_EQ(house.asked, (Fields{{"host", "example.org"}}));
  // Without the end of the stream, and with a pseudo-header.
  house.request(3, House::get(), false);
  house.send(house.head(3, {{"x-sum", "1"}}, false));
  house.request(5, House::get(), false);
  house.send(house.head(5, {{":status", "200"}}, true));
  EXPECT_EQ(house.said(),
            (Lines{"3 GET /", "3 failed: malformed trailer", "3 reset 1", "5 GET /",
                   "5 failed: malformed trailer", "5 reset 1"}));
  EXPECT_EQ(house.read(FrameType::RstStream).size(), 2U);
}

}  // namespace
}  // namespace celadon::h2
