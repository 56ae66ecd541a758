// One run of a scenario: a server with its loop, the kernel below, the application
// above and the clients around, each of which moves when the schedule says so.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "sim/oracle.h"
#include "sim/scenario.h"

namespace celadon::sim {

struct Outcome {
  Verdict verdict;
  std::uint64_t steps = 0;
  std::vector<std::string> trace;
  std::vector<std::string> seen;  // kinds of things that happened
};

[[nodiscard]] Outcome run(const Scenario& scenario, bool with_trace);

}  // namespace celadon::sim
