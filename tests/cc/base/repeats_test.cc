#include "base/repeats.h"

#include <gtest/gtest.h>

#include <string>

namespace celadon {
namespace {

constexpr Nanos kHeld = 100 * kMillisecond;

// True: it is told, and so is not to be told again.
bool tells(Repeats& repeats, const std::string& place, Nanos size, Nanos now) {
  if (!repeats.is_news(place, size, now)) {
    repeats.passed_over(place, size);
    return false;
  }
  repeats.told(place, size, now);
  return true;
}

TEST(RepeatsTest, R11WhatIsKnownIsNotToldAgain) {
  Repeats repeats;
  Nanos now = kSecond;
  EXPECT_TRUE(tells(repeats, "a.py:1", kHeld, now));
  for (int i = 0; i < 100; ++i)
    EXPECT_FALSE(tells(repeats, "a.py:1", kHeld, now += kSecond));
  EXPECT_TRUE(tells(repeats, "b.py:1", kHeld, now += 2 * kSecond));
}

TEST(RepeatsTest, R11WhatIsMuchLargerIsToldOnceASecond) {
  Repeats repeats;
  EXPECT_TRUE(tells(repeats, "a.py:1", kHeld, kSecond));
  EXPECT_FALSE(tells(repeats, "a.py:1", 2 * kHeld, kSecond + kMillisecond));
  EXPECT_TRUE(tells(repeats, "a.py:1", 2 * kHeld, 2 * kSecond));
  EXPECT_FALSE(tells(repeats, "a.py:1", 3 * kHeld, 4 * kSecond));
}

TEST(RepeatsTest, R11TheOneThatWasToldMayHaveGrown) {
  Repeats repeats;
  EXPECT_TRUE(tells(repeats, "a.py:1", kHeld, kSecond));
  repeats.grew(10 * kHeld);
  EXPECT_FALSE(tells(repeats, "a.py:1", 19 * kHeld, 5 * kSecond));
  EXPECT_TRUE(tells(repeats, "a.py:1", 20 * kHeld, 5 * kSecond));
}

TEST(RepeatsTest, R11NewPlacesAreToldLessAndLessOften) {
  Repeats repeats;
  int told = 0;
  for (int i = 0; i < 600; ++i) {
    if (tells(repeats, "a.py:" + std::to_string(i), kHeld, (i + 1) * kSecond)) ++told;
  }
  EXPECT_GE(told, 10);
  EXPECT_LE(told, 20);
}

TEST(RepeatsTest, R11TheRestIsSummedUpOnceAMinute) {
  Repeats repeats;
  EXPECT_TRUE(tells(repeats, "a.py:1", kHeld, kSecond));
  EXPECT_FALSE(repeats.rest(100 * kSecond));
  for (const Nanos more : {1, 50, 2}) {
    EXPECT_FALSE(tells(repeats, "a.py:1", kHeld + more, 10 * kSecond));
  }
  EXPECT_FALSE(repeats.rest(60 * kSecond));
  const auto rest = repeats.rest(61 * kSecond);
  ASSERT_TRUE(rest);
  EXPECT_EQ(rest->count, 3);
  EXPECT_EQ(rest->largest, kHeld + 50);
  EXPECT_EQ(rest->place, "a.py:1");
  EXPECT_FALSE(repeats.rest(200 * kSecond));
}

TEST(RepeatsTest, R11AfterAnHourAllIsNew) {
  Repeats repeats;
  EXPECT_TRUE(tells(repeats, "a.py:1", kHeld, kSecond));
  EXPECT_FALSE(tells(repeats, "a.py:1", kHeld, 3600 * kSecond));
  EXPECT_TRUE(tells(repeats, "a.py:1", kHeld, 3601 * kSecond));
}

}  // namespace
}  // namespace celadon
