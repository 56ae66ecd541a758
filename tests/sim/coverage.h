// How often each kind of thing was part of a scenario, or happened in its run. One that
// never was is a fault of the generator.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "sim/world.h"

namespace celadon::sim {

class Coverage {
 public:
  void add(const Scenario& scenario, const Outcome& outcome);
  void print() const;
  // Those that never were, of those that should be.
  [[nodiscard]] std::string missing() const;

 private:
  std::map<std::string, std::uint64_t> counts_;
};

}  // namespace celadon::sim
