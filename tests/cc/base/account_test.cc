// Every moment of a piece of work belongs to one kind.
#include "base/account.h"

#include <gtest/gtest.h>

#include <numeric>

#include "base/histogram.h"

namespace celadon {
namespace {

Nanos total(const Account& account, Nanos now) {
  Nanos sum = 0;
  for (std::size_t i = 0; i < kSpentKinds; ++i) {
    sum += account.spent(static_cast<Spent>(i), now);
  }
  return sum;
}

TEST(AccountTest, KindsAddUpToTheWhole) {
  Account account;
  account.begin(100);
  account.park(Spent::Database, 110);
  account.ready(150);
  account.run(155);
  account.park(Spent::Sleep, 160);
  account.run(200);  // nobody said when it was ready
  EXPECT_EQ(account.spent(Spent::Running, 230), 10 + 5 + 30);
  EXPECT_EQ(account.spent(Spent::Database, 230), 40);
  EXPECT_EQ(account.spent(Spent::Sleep, 230), 40);
  EXPECT_EQ(account.spent(Spent::Ready, 230), 5);
  EXPECT_EQ(account.parked(230), 80);
  EXPECT_EQ(total(account, 230), 130);
}

TEST(AccountTest, WaitsAreListedInTheirOrder) {
  Account account;
  account.begin(0);
  account.park(Spent::Socket, 5);
  account.ready(25);
  account.run(30);
  account.turn(Spent::Running, 31);
  account.ready(40);  // it stood aside: no wait
  account.run(41);
  account.park(Spent::Lock, 50);
  account.ready(60);
  account.run(60);
  ASSERT_EQ(account.waits(), 2U);
  EXPECT_EQ(account.list()[0].kind, Spent::Socket);
  EXPECT_EQ(account.list()[0].at, 5);
  EXPECT_EQ(account.list()[0].length, 20);
  EXPECT_EQ(account.list()[1].length, 10);
  EXPECT_EQ(account.list()[1].behind, 0);
  EXPECT_EQ(total(account, 60), 60);
}

// An event that came before the wait began, by a clock that counts coarser.
TEST(AccountTest, TimeDoesNotGoBack) {
  Account account;
  account.begin(100);
  account.park(Spent::Socket, 120);
  account.ready(90);
  account.run(130);
  EXPECT_EQ(account.spent(Spent::Socket, 130), 0);
  EXPECT_EQ(account.spent(Spent::Ready, 130), 10);
  EXPECT_EQ(total(account, 130), 30);
}

TEST(AccountTest, OnlySoManyWaitsAreRemembered) {
  Account account;
  account.begin(0);
  for (int i = 0; i < 100; ++i) {
    account.park(Spent::Socket, 10 * i);
    account.ready(10 * i + 1);
    account.run(10 * i + 2);
  }
  EXPECT_EQ(account.waits(), 100U);
  EXPECT_EQ(account.list().size(), Account::kWaits);
  EXPECT_EQ(account.list().back().length, 1);
  account.begin(5000);
  EXPECT_TRUE(account.list().empty());
}

TEST(HistogramTest, BoundsBelongToTheirBucket) {
  Histogram<kSizeBounds> sizes;
  for (const std::uint64_t size : {0, 256, 257, 1024, 70'000'000}) sizes.observe(size);
  EXPECT_EQ(sizes.counts[0], 2U);
  EXPECT_EQ(sizes.counts[1], 2U);
  EXPECT_EQ(sizes.counts.back(), 1U);
  EXPECT_EQ(sizes.sum, 70'001'537U);
}

}  // namespace
}  // namespace celadon
