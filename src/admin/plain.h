// The state of the server as plain text: for terminals and browsers without scripts.
#pragma once

#include <string>

#include "admin/site.h"

namespace celadon::admin {

[[nodiscard]] std::string describe_plainly(const Site& site);

}  // namespace celadon::admin
