#include "h2/guard.h"

#include <gtest/gtest.h>

#include "h2/memory_budget.h"

namespace celadon::h2 {
namespace {

FrameHead head(FrameType type, std::uint32_t length, unsigned flags = 0,
               StreamId stream = 1) {
  return {length, type, static_cast<std::uint8_t>(flags), stream};
}

// How often `step` may be done before it is a fault, which is `fault`.
template <class Step>
std::uint64_t times_until(Fault fault, Step step) {
  for (std::uint64_t i = 0; i < 1'000'000; ++i) {
    const Fault found = step();
    if (found == Fault::None) continue;
    EXPECT_EQ(found, fault);
    return i;
  }
  return UINT64_MAX;
}

const Bounds kBounds;

TEST(Guard, H220ResetsAreABurstAndThenARate) {
  ResetGuard guard(kBounds);
  Nanos now = 7 * kSecond;
  EXPECT_EQ(times_until(Fault::RapidReset, [&] { return guard.on_reset(now); }), 100U);
  now += kSecond;
  EXPECT_EQ(times_until(Fault::RapidReset, [&] { return guard.on_reset(now); }), 20U);
  now += 3600 * kSecond;
  EXPECT_EQ(times_until(Fault::RapidReset, [&] { return guard.on_reset(now); }), 100U);
  // A clock that stands still, or goes back, brings nothing.
  EXPECT_EQ(guard.on_reset(now - kSecond), Fault::RapidReset);
}

TEST(Guard, H220ARateThatIsKeptIsNoFault) {
  ResetGuard guard(kBounds);
  Nanos now = 0;
  EXPECT_EQ(times_until(Fault::RapidReset,
                        [&] { return guard.on_reset(now += kSecond / 20); }),
            UINT64_MAX);
}

TEST(Guard, H220CancelledRequestsAreMeasuredByAnsweredOnes) {
  CancelGuard guard(kBounds);
  EXPECT_EQ(times_until(Fault::Cancels, [&] { return guard.on_cancel(); }), 200U);
  CancelGuard busy(kBounds);
  for (int i = 0; i < 50; ++i) busy.on_answer();
  EXPECT_EQ(times_until(Fault::Cancels, [&] { return busy.on_cancel(); }), 400U);
}

TEST(Guard, H221TheLastOfOurResetsIsTheEnd) {
  OwnResetGuard guard(kBounds);
  EXPECT_EQ(times_until(Fault::OwnResets, [&] { return guard.on_reset(); }), 63U);
  EXPECT_EQ(guard.on_reset(), Fault::OwnResets);
}

TEST(Guard, H222ABlockHasEightContinuations) {
  BlockGuard guard(kBounds);
  const auto next = [&] { return guard.on_frame(head(FrameType::Continuation, 1)); };
  EXPECT_EQ(guard.on_frame(head(FrameType::Headers, 1)), Fault::None);
  EXPECT_EQ(guard.state(), Block::Inside);
  EXPECT_EQ(times_until(Fault::Continuations, next), 8U);
  // Each block has its own.
  BlockGuard other(kBounds);
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(other.on_frame(head(FrameType::Headers, 1)), Fault::None);
    EXPECT_EQ(other.on_frame(head(FrameType::Continuation, 1, flag::kEndHeaders)),
              Fault::None);
    EXPECT_EQ(other.state(), Block::Between);
  }
}

TEST(Guard, H225SettingsAndWhatWaitsAreBounded) {
  const QueueGuard guard(kBounds);
  EXPECT_EQ(guard.on_settings(head(FrameType::Settings, 32 * 6)), Fault::None);
  EXPECT_EQ(guard.on_settings(head(FrameType::Settings, 33 * 6)), Fault::SettingsFlood);
  EXPECT_EQ(guard.on_queue(1000), Fault::None);
  EXPECT_EQ(guard.on_queue(1001), Fault::ControlQueue);
}

TEST(Guard, H226SixteenEmptyFramesInARow) {
  for (const FrameHead& empty :
       {head(FrameType::Data, 0), head(FrameType::Headers, 0, flag::kEndHeaders),
        head(FrameType::Continuation, 0, flag::kEndStream),
        head(FrameType::Data, 1, flag::kPadded)}) {
    EmptyGuard guard(kBounds);
    const auto next = [&] { return guard.on_frame(empty); };
    EXPECT_EQ(times_until(Fault::EmptyFrames, next), 16U);
    EXPECT_EQ(guard.on_frame(head(FrameType::Data, 2)), Fault::None);
    EXPECT_EQ(times_until(Fault::EmptyFrames, next), 16U);
    EXPECT_EQ(guard.on_frame(head(FrameType::Data, 0, flag::kEndStream)), Fault::None);
    EXPECT_EQ(times_until(Fault::EmptyFrames, next), 16U);
  }
}

TEST(Guard, H226WindowUpdatesAreEarnedByFramesOfOurs) {
  UpdateGuard guard(kBounds);
  const auto next = [&] { return guard.on_update(); };
  EXPECT_EQ(times_until(Fault::WindowUpdates, next), 100U);
  guard.on_cause();
  EXPECT_EQ(times_until(Fault::WindowUpdates, next), 10U);
  for (int i = 0; i < 100'000; ++i) guard.on_cause();
  EXPECT_EQ(times_until(Fault::WindowUpdates, next), 10'000U);
}

TEST(Guard, H226PrioritiesAreEarnedByStreams) {
  PriorityGuard guard(kBounds);
  const auto next = [&] { return guard.on_priority(); };
  EXPECT_EQ(times_until(Fault::Priorities, next), 100U);
  guard.on_stream();
  EXPECT_EQ(times_until(Fault::Priorities, next), 100U);
}

TEST(Guard, H228OverheadIsMeasuredByThePayload) {
  OverheadGuard guard(kBounds);
  // 8 MiB of it are nothing to speak of.
  const auto unknown = head(static_cast<FrameType>(0x77), 16'384 - 9);
  EXPECT_EQ(times_until(Fault::Overhead, [&] { return guard.on_frame(unknown); }),
            512U);
  EXPECT_EQ(guard.payload(), 0U);
  OverheadGuard busy(kBounds);
  busy.on_data(1 << 20);
  EXPECT_EQ(times_until(Fault::Overhead, [&] { return busy.on_frame(unknown); }),
            1024U);
}

TEST(Guard, H228PaddingOfABlockIsNoPayload) {
  OverheadGuard guard(kBounds);
  EXPECT_EQ(guard.on_frame(head(FrameType::Headers, 100)), Fault::None);
  EXPECT_EQ(guard.on_frame(head(FrameType::Continuation, 50)), Fault::None);
  EXPECT_EQ(guard.on_frame(head(FrameType::Headers, 300, flag::kPadded)), Fault::None);
  EXPECT_EQ(guard.on_frame(head(FrameType::Headers, 10, flag::kPadded)), Fault::None);
  EXPECT_EQ(guard.payload(), 100U + 50 + 44);
  EXPECT_EQ(guard.total(), 4U * 9 + 460);
}

// Which frame each machine sees.
TEST(Guard, EveryFrameIsJudgedByWhatItIs) {
  const auto until = [](Fault fault, const FrameHead& frame) {
    Guard guard(kBounds);
    return times_until(fault, [&] { return guard.on_frame(frame, 0); });
  };
  EXPECT_EQ(until(Fault::RapidReset, head(FrameType::RstStream, 4)), 100U);
  EXPECT_EQ(until(Fault::Continuations, head(FrameType::Continuation, 1)), 8U);
  EXPECT_EQ(until(Fault::EmptyFrames, head(FrameType::Data, 0)), 16U);
  EXPECT_EQ(until(Fault::WindowUpdates, head(FrameType::WindowUpdate, 4)), 100U);
  EXPECT_EQ(until(Fault::Priorities, head(FrameType::Priority, 5)), 100U);
  EXPECT_EQ(until(Fault::Priorities, head(FrameType::PriorityUpdate, 9)), 100U);
  EXPECT_EQ(until(Fault::SettingsFlood, head(FrameType::Settings, 33 * 6)), 0U);
  // 8 MiB, and what the division leaves.
  EXPECT_EQ(until(Fault::Overhead, head(FrameType::Ping, 8)),
            (((1U << 20) + 1) * 8 - 1) / 17);
}

TEST(MemoryBudget, H224WhatIsAboveIsChargedToo) {
  MemoryBudget worker(100);
  MemoryBudget one(80, &worker);
  MemoryBudget other(80, &worker);
  EXPECT_TRUE(one.charge(60));
  EXPECT_FALSE(one.charge(21));
  EXPECT_FALSE(other.charge(41));
  EXPECT_EQ(worker.used(), 60U);
  EXPECT_TRUE(other.charge(40));
  one.give_back(60);
  EXPECT_EQ(worker.used(), 40U);
  EXPECT_EQ(one.used(), 0U);
}

TEST(Faults, EachHasACodeAndATextOfItsOwn) {
  for (std::size_t i = 1; i < kFaults; ++i) {
    EXPECT_NE(kFaultTable[i].code, ErrorCode::NoError);
    EXPECT_FALSE(kFaultTable[i].text.empty());
    for (std::size_t j = 0; j < i; ++j) {
      EXPECT_NE(kFaultTable[i].text, kFaultTable[j].text);
    }
  }
}

}  // namespace
}  // namespace celadon::h2
