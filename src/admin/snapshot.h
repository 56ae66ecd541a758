// The whole server in one JSON object: for the dashboard, `celadon top`, and scripts.
// Counters are sums since the start; who wants rates takes two.
#pragma once

#include <string>

#include "admin/site.h"
#include "metrics/gather.h"
#include "metrics/rows.h"

namespace celadon::admin {

// `build`: what celadon_build_info says, as it is printed.
[[nodiscard]] std::string take_snapshot(const Site& site,
                                        const metrics::Catalogue& catalogue,
                                        std::string_view build);

}  // namespace celadon::admin
