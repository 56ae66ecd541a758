// What the slab says of the server as a whole.
#pragma once

#include <string>

#include "base/clock.h"
#include "metrics/slab.h"

namespace celadon::admin {

class Site {
 public:
  // `timeout`: of workers, 0 for none.
  Site(const metrics::Slab& slab, Clock& clock, Nanos timeout) noexcept
      : slab_(slab), clock_(clock), timeout_(timeout) {}

  // No worker is still silent long after it should have been killed.
  [[nodiscard]] bool is_live() const noexcept;
  // Requests are welcome: a worker serves, and nobody asked for them to go elsewhere.
  [[nodiscard]] bool is_ready() const noexcept;
  // A worker has been ready once.
  [[nodiscard]] bool has_started() const noexcept;

  // JSON objects.
  [[nodiscard]] std::string health() const;
  [[nodiscard]] std::string workers() const;
  [[nodiscard]] std::string status() const;

 private:
  [[nodiscard]] std::size_t serving() const noexcept;
  [[nodiscard]] Nanos held_for(const metrics::Slot& slot) const noexcept;

  const metrics::Slab& slab_;
  Clock& clock_;
  Nanos timeout_;
};

}  // namespace celadon::admin
