#include "loop/lookout.h"

#include <gtest/gtest.h>

#include <atomic>
#include <semaphore>
#include <thread>

namespace celadon::loop {
namespace {

// Something that comes and is taken away by whoever looks.
struct Parcel final : Lookout::Sight {
  bool look() noexcept override {
    looks.fetch_add(1);
    if (!there.exchange(false)) return false;
    seen.release();
    return true;
  }
  Nanos until_next_look() const noexcept override { return pause; }
  bool is_empty() const noexcept override { return !there.load(); }

  std::atomic<bool> there = false;
  std::atomic<Nanos> pause = 1;
  std::atomic<long> looks = 0;
  std::counting_semaphore<> seen{0};
};

void wait_for_sleep(const Lookout& lookout) {
  while (!lookout.asleep()) std::this_thread::yield();
}

TEST(Lookout, SleepsWhereNothingIsThereUntilItIsTold) {
  Parcel parcel;
  Lookout lookout(parcel);
  ASSERT_TRUE(lookout.start());
  for (int i = 0; i < 1000; ++i) {
    // Now and then it is about to fall asleep, mostly it does.
    if (i % 4 == 0) wait_for_sleep(lookout);
    parcel.there = true;
    lookout.tell();
    parcel.seen.acquire();
  }
  EXPECT_FALSE(parcel.there);
}

TEST(Lookout, LooksOnForAWhileBeforeItSleeps) {
  Parcel parcel;
  Lookout lookout(parcel);
  ASSERT_TRUE(lookout.start());
  wait_for_sleep(lookout);
  const long before = parcel.looks;
  parcel.there = true;
  lookout.tell();
  parcel.seen.acquire();
  wait_for_sleep(lookout);
  EXPECT_EQ(parcel.looks - before, 1 + 20);
}

TEST(Lookout, EndsAtOnceWhetherItSleepsOrNot) {
  Parcel parcel;
  for (const bool sleeps : {true, false}) {
    parcel.pause = sleeps ? 1 : 3600 * kSecond;
    Lookout lookout(parcel);
    ASSERT_TRUE(lookout.start());
    if (sleeps) wait_for_sleep(lookout);
  }
}

TEST(Lookout, OneThatNeverRanHasNoThreadToEnd) {
  Parcel parcel;
  Lookout lookout(parcel);
  lookout.tell();
  EXPECT_EQ(parcel.looks, 0);
}

}  // namespace
}  // namespace celadon::loop
