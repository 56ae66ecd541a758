#include "base/clock.h"

#include <ctime>

namespace celadon {
namespace {
Nanos read_clock(clockid_t id) noexcept {
  timespec ts{};
  ::clock_gettime(id, &ts);
  return static_cast<Nanos>(ts.tv_sec) * kSecond + ts.tv_nsec;
}
}  // namespace

Nanos SystemClock::now() noexcept {
  return read_clock(CLOCK_MONOTONIC);
}
Nanos SystemClock::wall() noexcept {
  return read_clock(CLOCK_REALTIME);
}

}  // namespace celadon
