#include "metrics/balance.h"

#include <gtest/gtest.h>

namespace celadon::metrics {
namespace {

constexpr Nanos kNow = 1000 * kSecond;

struct BalanceTest : testing::Test {
  void SetUp() override { ASSERT_TRUE(slab); }
  void serve(std::size_t slot, std::uint64_t connections) {
    slab->lease(slot, 0);
    slab->slots()[slot].state.store(SlotState::Ready);
    slab->slots()[slot].gauges[gauge::kConnections] = connections;
  }
  std::unique_ptr<Slab> slab = Slab::make(4);
};

TEST_F(BalanceTest, TheLeastLoadedOther) {
  EXPECT_FALSE(least_loaded(*slab, 0, kNow));
  serve(0, 1);
  EXPECT_FALSE(has_other(*slab, 0));
  EXPECT_FALSE(least_loaded(*slab, 0, kNow));
  serve(1, 7);
  serve(3, 5);
  EXPECT_TRUE(has_other(*slab, 0));
  EXPECT_EQ(least_loaded(*slab, 0, kNow), 3U);
  EXPECT_EQ(least_loaded(*slab, 3, kNow), 0U);
}

TEST_F(BalanceTest, WhatIsOnItsWayCounts) {
  serve(1, 5);
  serve(2, 5);
  slab->slots()[1].coming.store(1);
  EXPECT_EQ(least_loaded(*slab, 0, kNow), 2U);
  slab->slots()[2].coming.store(2);
  EXPECT_EQ(least_loaded(*slab, 0, kNow), 1U);
}

TEST_F(BalanceTest, WhoBootsOrLeavesOrIsHeldGetsNone) {
  serve(1, 0);
  serve(2, 9);
  slab->slots()[1].pulse.store(kNow - kHeld - 1);
  EXPECT_EQ(least_loaded(*slab, 0, kNow), 2U);
  slab->slots()[1].pulse.store(kNow - kHeld / 2);
  EXPECT_EQ(least_loaded(*slab, 0, kNow), 1U);
  slab->slots()[1].state.store(SlotState::Draining);
  EXPECT_EQ(least_loaded(*slab, 0, kNow), 2U);
  slab->slots()[2].state.store(SlotState::Booting);
  EXPECT_FALSE(least_loaded(*slab, 0, kNow));
  EXPECT_FALSE(has_other(*slab, 0));
}

}  // namespace
}  // namespace celadon::metrics
