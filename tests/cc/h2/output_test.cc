// What leaves when: windows, buffers, and whose turn it is (RFC 9218).
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "house.h"

namespace celadon::h2 {
namespace {

using model::Fields;
using model::Frame;

constexpr unsigned kInitialWindow = 4;  // SETTINGS_INITIAL_WINDOW_SIZE

std::vector<StreamId> order_of(const std::vector<Frame>& frames) {
  std::vector<StreamId> order;
  for (const Frame& f : frames) {
    if (f.type == FrameType::Data && (order.empty() || order.back() != f.stream)) {
      order.push_back(f.stream);
    }
  }
  return order;
}

// --- flow control of answers ---

TEST(Session, AnAnswerKeepsTheWindows) {
  House house;
  house.shake_hands();
  house.request(1);
  const std::string body(100'000, 'x');
  house.session().send_head(house.stream(1), 200, {}, {}, Part::More);
  EXPECT_EQ(house.session().send_data(house.stream(1), body, {}, Part::Last),
            Taken::Ok);
  auto frames = house.read();
  EXPECT_EQ(body_of(frames, 1).size(), 65'535U);
  for (const Frame& f : frames) EXPECT_LE(f.payload.size(), kMostData);
  house.send(model::window_update(1, 100'000));
  EXPECT_TRUE(house.read().empty());  // the connection's is used up as well
  house.send(model::window_update(0, 10));
  EXPECT_EQ(body_of(house.read(), 1).size(), 10U);
  house.send(model::window_update(0, 100'000));
  frames = house.read();
  EXPECT_EQ(body_of(frames, 1).size(), 100'000U - 65'535 - 10);
  EXPECT_TRUE(frames.back().ends());
}

TEST(Session, H212WindowsOfOneByteComplete) {
  House house;
  house.send(model::settings({{kInitialWindow, 1}}));
  house.shake_hands();
  house.request(1);
  house.session().send_head(house.stream(1), 200, {}, {}, Part::More);
  house.session().send_data(house.stream(1), std::string(500, 'x'), {}, Part::Last);
  house.release(1);
  std::size_t got = 0;
  bool ended = false;
  for (int i = 0; i < 1000 && !ended; ++i) {
    for (const Frame& f : house.read()) {
      got += f.type == FrameType::Data ? f.payload.size() : 0;
      ended = f.ends() && f.type == FrameType::Data;
    }
    if (!ended) house.send(model::window_update(1, 1));
  }
  EXPECT_EQ(got, 500U);
  EXPECT_TRUE(ended);
  EXPECT_EQ(house.session().fault(), Fault::None);
}

TEST(Session, H227WhatAStreamHoldsIsBoundedAndTold) {
  Options options;
  options.response_buffer = 1000;
  House house(options);
  house.send(model::settings({{kInitialWindow, 0}}));
  house.shake_hands();
  house.request(1);
  Session& s = house.session();
  Stream& stream = house.stream(1);
  s.send_head(stream, 200, {}, {}, Part::More);
  EXPECT_EQ(s.send_data(stream, std::string(1000, 'x'), {}, Part::More), Taken::Ok);
  EXPECT_EQ(s.send_data(stream, std::string(1000, 'x'), {}, Part::More), Taken::Full);
  EXPECT_EQ(house.read().size(), 1U);
  EXPECT_EQ(stream.queued(), 2000U);
  house.said();
  house.send(model::window_update(1, 1400));
  house.read();
  EXPECT_EQ(house.said(), Lines{});  // it is half empty only
  house.send(model::window_update(1, 200));
  house.read();
  EXPECT_EQ(house.said(), (Lines{"1 writable"}));
  house.send(model::window_update(1, 100));
  house.read();
  EXPECT_EQ(house.said(), Lines{});  // it is told once
  EXPECT_EQ(stream.sent(), 1700U);
  EXPECT_EQ(stream.queued(), 300U);
}

TEST(Session, AHeldBodyIsReleasedOnceItHasLeft) {
  House house;
  house.shake_hands();
  house.request(1);
  int released = 0;
  const Owner owner{&released, [](void* at) noexcept { ++*static_cast<int*>(at); }};
  const std::string body(20'000, 'x');
  house.session().send_head(house.stream(1), 200, {}, {}, Part::More);
  house.session().send_data(house.stream(1), body, owner, Part::Last);
  EXPECT_EQ(released, 0);
  EXPECT_EQ(body_of(house.read(), 1), body);
  EXPECT_EQ(released, 1);
}

TEST(Session, AHeldBodyIsReleasedWhenItsStreamIsReset) {
  House house;
  house.shake_hands();
  house.request(1);
  int released = 0;
  const Owner owner{&released, [](void* at) noexcept { ++*static_cast<int*>(at); }};
  const std::string body(20'000, 'x');
  house.session().send_head(house.stream(1), 200, {}, {}, Part::More);
  house.session().send_data(house.stream(1), body, owner, Part::Last);
  house.send(model::rst(1));
  EXPECT_EQ(released, 1);
  EXPECT_EQ(house.said(), (Lines{"1 GET /", "1 reset 8"}));
  EXPECT_EQ(house.session().streams(), 1U);  // the application has it still
  house.release(1);
  EXPECT_EQ(house.session().streams(), 0U);
  EXPECT_TRUE(house.read(FrameType::Data).empty());
}

TEST(Session, OutputComesInPiecesOfTheSizeThatIsAskedFor) {
  House house;
  house.send(model::settings({{kInitialWindow, 1 << 20}}) +
             model::window_update(0, 1 << 20));
  house.shake_hands();
  house.request(1);
  house.session().send_head(house.stream(1), 200, {}, {}, Part::More);
  house.session().send_data(house.stream(1), std::string(200'000, 'x'), {}, Part::Last);
  std::string out;
  house.session().write(out, 20'000);
  EXPECT_GE(out.size(), 20'000U);
  EXPECT_LE(out.size(), 20'000U + kMostData + 2 * kFrameHead);
  EXPECT_TRUE(house.session().has_output());
  const std::size_t first = out.size();
  house.session().write(out, first);  // there is enough
  EXPECT_EQ(out.size(), first);
  while (house.session().has_output()) {
    std::string more;
    house.session().write(more, 20'000);
    out += more;
  }
  EXPECT_EQ(body_of(model::read_frames(out), 1).size(), 200'000U);
}

// --- whose turn it is (RFC 9218) ---

class Scheduling : public ::testing::Test {
 protected:
  void SetUp() override {
    house_.send(model::settings({{kInitialWindow, 1 << 20}}) +
                model::window_update(0, 1 << 24));
    house_.shake_hands();
  }
  void ask(StreamId id, const std::string& priority = "") {
    Fields fields = House::get();
    if (!priority.empty()) fields.emplace_back("priority", priority);
    house_.request(id, fields);
  }
  void answer(StreamId id, std::size_t size) {
    house_.answer(id, std::string(size, 'x'));
  }
  House house_;
};

TEST_F(Scheduling, TheMoreUrgentGoesFirst) {
  ask(1, "u=5");
  ask(3, "u=1");
  ask(5);
  for (const StreamId id : {1, 3, 5}) answer(id, 50'000);
  EXPECT_EQ(order_of(house_.read()), (std::vector<StreamId>{3, 5, 1}));
}

TEST_F(Scheduling, OneAfterAnotherUnlessTheyAreOfUseInPieces) {
  for (const StreamId id : {1, 3, 5}) ask(id);
  for (const StreamId id : {1, 3, 5}) answer(id, 50'000);
  EXPECT_EQ(order_of(house_.read()), (std::vector<StreamId>{1, 3, 5}));
  for (const StreamId id : {7, 9, 11}) ask(id, "i");
  for (const StreamId id : {7, 9, 11}) answer(id, 3 * kMostData);
  const auto order = order_of(house_.read());
  ASSERT_EQ(order.size(), 9U);
  for (std::size_t i = 3; i < order.size(); ++i) EXPECT_EQ(order[i], order[i - 3]);
}

TEST_F(Scheduling, APriorityThatIsUpdatedCounts) {
  ask(1);
  ask(3);
  house_.send(model::priority_update(3, "u=0"));
  for (const StreamId id : {1, 3}) answer(id, 50'000);
  EXPECT_EQ(order_of(house_.read()), (std::vector<StreamId>{3, 1}));
}

TEST_F(Scheduling, APriorityThatCameBeforeItsStreamCounts) {
  house_.send(model::priority_update(3, "u=0"));
  ask(1);
  ask(3);
  for (const StreamId id : {1, 3}) answer(id, 50'000);
  EXPECT_EQ(order_of(house_.read()), (std::vector<StreamId>{3, 1}));
}

TEST_F(Scheduling, SmallAnswersOfManyStreamsLeaveTogether) {
  for (StreamId id = 1; id < 100; id += 2) ask(id);
  for (StreamId id = 1; id < 100; id += 2) answer(id, 10);
  std::string out;
  house_.session().write(out, 1 << 16);
  EXPECT_EQ(model::read_frames(out).size(), 100U);
  EXPECT_FALSE(house_.session().has_output());
}

}  // namespace
}  // namespace celadon::h2
