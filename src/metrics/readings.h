// The cells of a catalogue by their names.
#pragma once

#include <string_view>
#include <vector>

#include "metrics/rows.h"

namespace celadon::metrics {

class Readings {
 public:
  Readings(const Slab& slab, const Catalogue& catalogue) noexcept
      : slab_(slab), catalogue_(catalogue) {}

  // Of all slots together, in the unit of the family; 0 where there is no such thing.
  // `labels`: as they are printed.
  [[nodiscard]] double value(std::string_view family,
                             std::string_view labels = {}) const noexcept;
  // Of one slot as it is now.
  [[nodiscard]] double value_of(const Slot& slot, std::string_view family,
                                std::string_view labels = {}) const noexcept;
  // Of a histogram, not cumulative.
  [[nodiscard]] std::vector<double> counts(std::string_view family) const;
  [[nodiscard]] const RowFamily* family(std::string_view name) const noexcept;

 private:
  const Slab& slab_;
  const Catalogue& catalogue_;
};

}  // namespace celadon::metrics
