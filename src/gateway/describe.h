// What people call a request.
#pragma once

#include <string>

#include "server/exchange.h"

namespace celadon::gateway {

// Its method, its target, and its route where that is known: for logs and reports.
[[nodiscard]] std::string describe(const server::Exchange& exchange);

}  // namespace celadon::gateway
