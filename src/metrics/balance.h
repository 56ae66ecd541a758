// Who should get the next connection.
#pragma once

#include <cstdint>
#include <optional>

#include "metrics/slab.h"

namespace celadon::metrics {

// A worker whose loop is held for so long gets no connection.
inline constexpr Nanos kHeld = 100 * kMillisecond;

// Connections of a worker, with those that are on their way to it.
[[nodiscard]] std::int64_t load_of(const Slot& slot) noexcept;
[[nodiscard]] bool is_held(const Slot& slot, Nanos now) noexcept;
// A worker's loop is held for so long that the master should have ended it: `timeout`
// and more; 0 is never.
[[nodiscard]] bool hangs(const Slab& slab, Nanos timeout, Nanos now) noexcept;
// There is a worker that serves, other than `but`.
[[nodiscard]] bool has_other(const Slab& slab, std::size_t but) noexcept;
// The one of them with the fewest connections, of those whose loop turns.
[[nodiscard]] std::optional<std::size_t> least_loaded(const Slab& slab, std::size_t but,
                                                      Nanos now) noexcept;

}  // namespace celadon::metrics
