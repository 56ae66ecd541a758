// How a process ended, in words and for the books.
#pragma once

#include <string>

#include "master/roster.h"
#include "metrics/slab.h"

namespace celadon::master {

[[nodiscard]] std::string describe(Exit how);
[[nodiscard]] metrics::Ending ending_of(const WorkerProcess& worker, Exit how) noexcept;

}  // namespace celadon::master
