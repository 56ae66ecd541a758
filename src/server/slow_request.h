// A request that took long, and where the time went: for people.
#pragma once

#include <string>

#include "server/meter.h"

namespace celadon::server {

// One line for the whole, and one for each wait in their order. All text of the
// client's is escaped.
[[nodiscard]] std::string describe_slow(const Finished& request);

// The parts of `account` at `now`, as `db;dur=1.2` (Server-Timing); those that are zero
// are left out.
void append_server_timing(std::string& out, const Account& account, Nanos queued,
                          Nanos now);

}  // namespace celadon::server
