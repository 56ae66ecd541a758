// Makes a scenario that fails as small as it will go while it fails the same way.
#pragma once

#include <string_view>

#include "sim/scenario.h"
#include "sim/world.h"

namespace celadon::sim {

// How a candidate is run.
using Runner = Outcome (*)(const Scenario&);
[[nodiscard]] Scenario shrink(Scenario scenario, std::string_view kind, double seconds,
                              Runner runner);

}  // namespace celadon::sim
