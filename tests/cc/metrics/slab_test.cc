#include "metrics/slab.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <thread>

namespace celadon::metrics {
namespace {

TEST(SlabTest, WhatAnotherProcessCountsIsSeen) {
  auto slab = Slab::make(2);
  ASSERT_TRUE(slab);
  slab->lease(1, 5 * kSecond);
  const pid_t child = ::fork();
  if (child == 0) {
    slab->slots()[1].counters[3] += 7;
    slab->slots()[1].state.store(SlotState::Ready);
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(slab->slots()[1].state.load(), SlotState::Ready);
  EXPECT_EQ(slab->slots()[1].leased_at.load(), 5 * kSecond);
  EXPECT_EQ(slab->total(3), 7U);
}

TEST(SlabTest, AForkThatIsNoWorkerLeavesItAlone) {
  auto slab = Slab::make(1);
  ASSERT_TRUE(slab);
  Slot& slot = slab->slots()[0];
  slot.counters[0] = 5;
  const pid_t child = ::fork();
  if (child == 0) {
    slab->make_private();
    const bool same = slot.counters[0] == 5;
    slot.counters[0] = 77;
    ::_exit(same && slab->total(0) == 77 ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(slot.counters[0], 5U);
}

TEST(SlabTest, SumsOutliveTheWorkersAndGaugesDoNot) {
  auto slab = Slab::make(1);
  ASSERT_TRUE(slab);
  for (unsigned lease = 1; lease <= 3; ++lease) {
    slab->lease(0, 0);
    Slot& slot = slab->slots()[0];
    slot.counters[0] += 10;
    slot.gauges[0] = 4;
    slot.pulse.store(1);
    EXPECT_EQ(slab->total(0), 10U * lease);
    slab->take_back(0);
    EXPECT_EQ(slab->total(0), 10U * lease);
    EXPECT_EQ(slot.gauges[0], 0U);
    EXPECT_EQ(slot.pulse.load(), 0);
    EXPECT_EQ(slot.state.load(), SlotState::Free);
    EXPECT_EQ(slot.lease.load(), lease);
  }
}

TEST(SlabTest, S17NobodyReadsASlotThatIsHalfFolded) {
  auto slab = Slab::make(1);
  ASSERT_TRUE(slab);
  Slot& slot = slab->slots()[0];
  Summary& summary = slab->summary();
  std::uint64_t seen = 0;
  // Who waits for long enough reads all the same, as a master may never come back: then
  // this thread had no processor meanwhile, and it is tried again.
  bool waited = false;
  for (int tries = 0; tries < 100 && !waited; ++tries) {
    // The master has been interrupted in between.
    slot.counters[0] = 5;
    summary.base[0] = 5;
    summary.folding.store(1);
    std::atomic<bool> begun = false;
    std::thread reader([&] {
      begun.store(true);
      begun.notify_one();
      slab->read_whole([&] {
        waited = summary.folding.load() % 2 == 0;
        seen = slab->total(0);
      });
    });
    begun.wait(false);
    std::this_thread::yield();
    slot.counters[0] = 0;
    summary.folding.store(2);
    reader.join();
  }
  EXPECT_TRUE(waited);
  EXPECT_EQ(seen, 5U);
}

TEST(SlabTest, CellsOfTwoWriters) {
  // Neither slows the other down by a line of the cache that both write.
  EXPECT_EQ(offsetof(Slot, coming) % kLine, 0U);
  EXPECT_GE(offsetof(Slot, gauges) - offsetof(Slot, coming), kLine);
  EXPECT_EQ(sizeof(Slot) % kLine, 0U);
}

}  // namespace
}  // namespace celadon::metrics
