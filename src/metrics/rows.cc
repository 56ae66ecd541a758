#include "metrics/rows.h"

namespace celadon::metrics {
namespace {

double gauge_total(const Slab& slab, std::size_t cell) noexcept {
  std::uint64_t sum = 0;
  for (const Slot& slot : slab.slots()) sum += read_cell(slot.gauges[cell]);
  return static_cast<double>(sum);
}

double counter_total(const Slab& slab, std::size_t cell) noexcept {
  return static_cast<double>(slab.total(cell));
}

void write_histogram(const Slab& slab, const RowFamily& family, const Row& row,
                     Exposition& out) {
  std::vector<double> counts(family.buckets);
  for (std::size_t i = 0; i < counts.size(); ++i) {
    counts[i] = counter_total(slab, row.cell + i);
  }
  const double sum = counter_total(slab, row.cell + family.buckets) * family.scale;
  out.histogram(row.labels, family.bounds, counts, sum);
}

}  // namespace

void write_rows(const Slab& slab, const Catalogue& catalogue, Exposition& out) {
  for (const RowFamily& family : catalogue) {
    out.family(family.name, family.type, family.help);
    for (const Row& row : family.rows) {
      if (family.buckets > 0) {
        write_histogram(slab, family, row, out);
      } else {
        const double value = family.type == "gauge" ? gauge_total(slab, row.cell)
                                                    : counter_total(slab, row.cell);
        out.sample(row.labels, value * family.scale);
      }
    }
  }
}

}  // namespace celadon::metrics
