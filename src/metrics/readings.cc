#include "metrics/readings.h"

#include <algorithm>

namespace celadon::metrics {
namespace {

const Row* find_row(const RowFamily& family, std::string_view labels) noexcept {
  const auto found = std::ranges::find(family.rows, labels, &Row::labels);
  return found == family.rows.end() ? nullptr : &*found;
}

double cell_of(const Slot& slot, const RowFamily& family, const Row& row) noexcept {
  const bool gauge = family.type == "gauge";
  return static_cast<double>(
      read_cell(gauge ? slot.gauges[row.cell] : slot.counters[row.cell]));
}

}  // namespace

const RowFamily* Readings::family(std::string_view name) const noexcept {
  const auto found = std::ranges::find(catalogue_, name, &RowFamily::name);
  return found == catalogue_.end() ? nullptr : &*found;
}

double Readings::value(std::string_view name, std::string_view labels) const noexcept {
  const RowFamily* known = family(name);
  const Row* row = known ? find_row(*known, labels) : nullptr;
  if (!row) return 0;
  if (known->type != "gauge")
    return static_cast<double>(slab_.total(row->cell)) * known->scale;
  double sum = 0;
  for (const Slot& slot : slab_.slots()) sum += cell_of(slot, *known, *row);
  return sum * known->scale;
}

double Readings::value_of(const Slot& slot, std::string_view name,
                          std::string_view labels) const noexcept {
  const RowFamily* known = family(name);
  const Row* row = known ? find_row(*known, labels) : nullptr;
  return row ? cell_of(slot, *known, *row) * known->scale : 0;
}

std::vector<double> Readings::counts(std::string_view name) const {
  const RowFamily* known = family(name);
  std::vector<double> found;
  if (!known || known->rows.empty()) return found;
  for (std::size_t i = 0; i < known->buckets; ++i) {
    found.push_back(static_cast<double>(slab_.total(known->rows[0].cell + i)));
  }
  return found;
}

}  // namespace celadon::metrics
