#include "master/vigil.h"

#include <gtest/gtest.h>

namespace celadon::master {
namespace {

constexpr Nanos kStart = 1000 * kSecond;

// Looks every second until `end`, as the master does.
void look_until(Vigil& vigil, Nanos begin, Nanos end) {
  for (Nanos now = begin; now <= end; now += kSecond) vigil.begin(now);
}

TEST(VigilTest, ALongSliceIsSilence) {
  Vigil vigil(10 * kSecond);
  look_until(vigil, kStart, kStart + 20 * kSecond);
  const Nanos now = kStart + 20 * kSecond;
  EXPECT_EQ(vigil.silent_for(0, 0, now), 0);  // it waits
  EXPECT_EQ(vigil.silent_for(now - 9 * kSecond, 0, now), 0);
  EXPECT_EQ(vigil.silent_for(now - 11 * kSecond, 0, now), 11 * kSecond);
}

TEST(VigilTest, AStoppedProcessIsSilentWhateverItDid) {
  Vigil vigil(10 * kSecond);
  look_until(vigil, kStart, kStart + 20 * kSecond);
  const Nanos now = kStart + 20 * kSecond;
  EXPECT_EQ(vigil.silent_for(0, now - 12 * kSecond, now), 12 * kSecond);
  EXPECT_EQ(vigil.silent_for(now - 13 * kSecond, now - kSecond, now), 13 * kSecond);
  EXPECT_EQ(vigil.silent_for(0, now - kSecond, now), 0);
}

TEST(VigilTest, WhoDidNotLookItselfGivesAFreshPeriod) {
  Vigil vigil(10 * kSecond);
  look_until(vigil, kStart, kStart + 5 * kSecond);
  const Nanos woken = kStart + 600 * kSecond;  // the machine was suspended
  vigil.begin(woken);
  EXPECT_EQ(vigil.silent_for(kStart, 0, woken + 9 * kSecond), 0);
  EXPECT_EQ(vigil.silent_for(kStart, 0, woken + 10 * kSecond), 10 * kSecond);
}

TEST(VigilTest, WithoutATimeoutNobodyIsSilent) {
  Vigil vigil(0);
  vigil.begin(kStart);
  EXPECT_EQ(vigil.silent_for(1, 1, kStart), 0);
  EXPECT_EQ(vigil.due(), kStart + kSecond);
}

}  // namespace
}  // namespace celadon::master
