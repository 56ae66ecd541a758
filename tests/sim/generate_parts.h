// What scenarios of all kinds are made of.
#pragma once

#include "sim/choices.h"
#include "sim/scenario.h"

namespace celadon::sim {

inline Number size(Choices& c) {
  const std::size_t dice = c.below(100);
  if (dice < 20) return c.any_of({0, 1, 2, 5});
  if (dice < 55) return c.between(6, 1'500);
  if (dice < 80) return c.between(1'500, 12'000);
  if (dice < 95) return c.between(12'000, 80'000);
  return c.between(80'000, 600'000);
}

inline Number pause(Choices& c) {
  const std::size_t dice = c.below(100);
  if (dice < 60) return c.between(1, 30);
  if (dice < 80) return c.between(30, 1'500);
  return c.between(1'500, 14'000);
}

inline void add(Request& r, Act act, Number n = 0) {
  r.ops.push_back({static_cast<Number>(act), n});
}

}  // namespace celadon::sim
