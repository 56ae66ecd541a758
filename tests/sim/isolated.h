// A run in a process of its own, so that one that crashes is a verdict like others.
#pragma once

#include <cstdint>

#include "sim/scenario.h"
#include "sim/world.h"

namespace celadon::sim {

// As run(), without a trace; `crash` where the process does not come back.
[[nodiscard]] Outcome run_isolated(const Scenario& scenario);

// From now on this process, if it crashes, starts anew with the seed that is named
// here, to find out by isolated runs what happened.
void expect_crashes();
void note_seed(std::uint64_t seed) noexcept;

}  // namespace celadon::sim
