// Who has what is a loop's, while two threads want it.
#include "loop/custody.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace celadon::loop {
namespace {

// Where the kernel orders what two threads do, and where they do it themselves.
class InEachOrder : public ::testing::TestWithParam<Custody::Order> {};
INSTANTIATE_TEST_SUITE_P(Custody, InEachOrder,
                         ::testing::Values(Custody::best_order(), Custody::Order::Own));

TEST_P(InEachOrder, IsTakenOnlyWhileTheLoopIsElsewhere) {
  Custody custody;
  custody.share(GetParam());
  EXPECT_EQ(custody.left_since(), 0);
  EXPECT_FALSE(custody.try_take());
  custody.leave(7);
  EXPECT_EQ(custody.left_since(), 7);
  EXPECT_TRUE(custody.try_take());
  custody.give_back();
  EXPECT_EQ(custody.enter(), 7);
  EXPECT_FALSE(custody.try_take());
  EXPECT_EQ(custody.enter(), 0);
}

TEST(Custody, InsideIsForAWhile) {
  Custody custody;
  custody.leave(7);
  {
    const Custody::Inside inside(custody);
    EXPECT_EQ(custody.left_since(), 0);
    const Custody::Inside within(custody);
    EXPECT_EQ(custody.left_since(), 0);
  }
  EXPECT_EQ(custody.left_since(), 7);
  custody.enter();
  {
    const Custody::Inside inside(custody);
  }
  EXPECT_EQ(custody.left_since(), 0);
}

TEST_P(InEachOrder, C18WhoComesBackWaitsForWhoHasIt) {
  Custody custody;
  custody.share(GetParam());
  custody.leave(1);
  ASSERT_TRUE(custody.try_take());
  std::atomic<bool> is_back = false;
  std::thread loop([&] {
    custody.enter();
    is_back = true;
  });
  while (custody.left_since() != 0) std::this_thread::yield();  // it wants to
  EXPECT_FALSE(is_back);
  custody.give_back();
  loop.join();
  EXPECT_TRUE(is_back);
}

// With ThreadSanitizer: every access is ordered. Without: none is lost.
TEST_P(InEachOrder, C18TwoNeverHaveItAtOnce) {
  Custody custody;
  custody.share(GetParam());
  std::atomic<long> theirs = 0;
  long shared = 0;
  std::atomic<bool> done = false;
  std::thread other([&] {
    while (!done) {
      if (!custody.try_take()) continue;
      ++shared;
      ++theirs;
      custody.give_back();
    }
  });
  long ours = 0;
  // Until each has had it often enough for the two to have met.
  constexpr long kOften = 20'000;
  constexpr long kNowAndThen = 50;
  while (ours < kOften || theirs < kNowAndThen) {
    custody.leave(1);
    for (int i = 0; i < 8; ++i) std::atomic_signal_fence(std::memory_order_seq_cst);
    custody.enter();
    ++shared;
    ++ours;
  }
  done = true;
  other.join();
  EXPECT_EQ(shared, ours + theirs);
}

}  // namespace
}  // namespace celadon::loop
