// Makes a scenario that fails as small as it will go while it fails the same way.
#pragma once

#include <string_view>

#include "sim/scenario.h"

namespace celadon::sim {

[[nodiscard]] Scenario shrink(Scenario scenario, std::string_view kind, double seconds);

}  // namespace celadon::sim
