#include "server/own_lines.h"

#include <gtest/gtest.h>

namespace celadon::server {
namespace {

// The machine slept, or somebody has set the wall's clock.
struct SteppedClock final : Clock {
  Nanos now() noexcept override { return monotonic; }
  Nanos wall() noexcept override { return monotonic + offset; }
  Nanos monotonic = 1000 * kSecond;
  Nanos offset = 784'111'777 * kSecond;
};

TEST(OwnLinesTest, TheWallsClockIsReadAgainOnceASecondIsOver) {
  SteppedClock clock;
  loop::Loop loop{loop::make_epoll_poller(), clock};
  const Settings settings;
  OwnLines lines(loop, settings);
  EXPECT_EQ(lines.wall_offset(), clock.offset);
  clock.offset += 3600 * kSecond;
  clock.monotonic += 2 * kSecond;
  loop.fresh_now();
  EXPECT_EQ(lines.wall_offset(), clock.offset);
}

}  // namespace
}  // namespace celadon::server
