// The series of all processes as one.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "metrics/exposition.h"
#include "metrics/slab.h"

namespace celadon::metrics {

struct GatheredFamily {
  std::string type;
  std::string help;
  std::string bounds;
  std::map<std::string, std::vector<double>> samples;  // by their labels
};

struct Gathered {
  std::map<std::string, GatheredFamily> families;
  std::uint64_t series = 0;
  std::uint64_t dropped = 0;
};

[[nodiscard]] Gathered gather_series(const Slab& slab);
[[nodiscard]] Gathered gather_list(const SeriesList& list);
void write_series(const Gathered& gathered, Exposition& out);

// What held a loop, the worst first.
struct Place {
  std::string where;  // FILE:LINE in FUNCTION
  std::string stack;
  double count;
  double seconds;
  double longest;
  double last;  // seconds since 1970
};
[[nodiscard]] std::vector<Place> gather_places(const Slab& slab);

}  // namespace celadon::metrics
