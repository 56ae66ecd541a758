// What the plain cells of a slot's rows are called: a table that who places the structs
// there makes. The same cells of all slots are one number.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "metrics/exposition.h"
#include "metrics/slab.h"

namespace celadon::metrics {

// kLagBounds, as they are printed.
inline constexpr std::string_view kLagLabels =
    "0.001,0.0025,0.005,0.01,0.025,0.05,0.1,0.25,0.5,1,2.5,5,10";

struct Row {
  std::string_view labels;  // as they are printed
  std::size_t cell;         // in the counters, or the gauges; the first of a histogram
};

struct RowFamily {
  std::string_view name;
  std::string_view type;  // counter, gauge, histogram
  std::string_view help;
  std::vector<Row> rows;
  double scale = 1;              // from the unit of the cells to that of the family
  std::string_view bounds = {};  // of a histogram, as they are printed
  std::size_t buckets = 0;       // likewise, with the one above them all
};

using Catalogue = std::vector<RowFamily>;

void write_rows(const Slab& slab, const Catalogue& catalogue, Exposition& out);

}  // namespace celadon::metrics
