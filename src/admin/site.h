// What the slab says of the server as a whole.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "metrics/slab.h"

namespace celadon::admin {

class Site {
 public:
  // `timeout`: of workers, 0 for none.
  // `queue_depth`: more requests than that do not wait at one worker; 0: it is not
  // known.
  Site(const metrics::Slab& slab, Clock& clock, Nanos timeout,
       std::size_t queue_depth = 0) noexcept
      : slab_(slab), clock_(clock), timeout_(timeout), queue_depth_(queue_depth) {}

  [[nodiscard]] const metrics::Slab& slab() const noexcept { return slab_; }
  [[nodiscard]] Clock& clock() const noexcept { return clock_; }

  // No worker is still silent long after it should have been killed.
  [[nodiscard]] bool is_live() const noexcept;
  // Requests are welcome: a worker serves, and nobody asked for them to go elsewhere.
  [[nodiscard]] bool is_ready() const noexcept;
  // A worker has been ready once.
  [[nodiscard]] bool has_started() const noexcept;

  // `live`, `ready` or `startup`; none: there is no such question.
  [[nodiscard]] std::optional<bool> verdict(std::string_view name) const noexcept;

  // The application's own checks pass there, and their verdict is not stale.
  [[nodiscard]] bool is_fit(const metrics::Slot& slot) const noexcept;
  // How long the slice lasts that runs now.
  [[nodiscard]] Nanos held_for(const metrics::Slot& slot) const noexcept;

  // JSON objects.
  [[nodiscard]] std::string health() const;
  [[nodiscard]] std::string workers() const;
  [[nodiscard]] std::string status() const;

 private:
  [[nodiscard]] std::size_t serving() const noexcept;
  [[nodiscard]] bool takes_requests(const metrics::Slot& slot) const noexcept;

  const metrics::Slab& slab_;
  Clock& clock_;
  Nanos timeout_;
  std::size_t queue_depth_;
};

[[nodiscard]] const char* name_of(metrics::SlotState state) noexcept;
[[nodiscard]] constexpr double to_seconds(Nanos nanos) noexcept {
  return static_cast<double>(nanos) / static_cast<double>(kSecond);
}
// To the millisecond.
[[nodiscard]] std::string seconds_text(Nanos nanos);

}  // namespace celadon::admin
