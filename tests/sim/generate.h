// Scenarios by chance: common things often, every listed one at times.
#pragma once

#include <cstdint>

#include "sim/scenario.h"

namespace celadon::sim {

[[nodiscard]] Scenario generate(std::uint64_t seed);

}  // namespace celadon::sim
