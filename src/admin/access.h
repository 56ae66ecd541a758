// Who may see which page.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "net/address.h"
#include "server/exchange.h"

namespace celadon::admin {

struct Access {
  std::string token;              // empty: none is asked for
  net::Networks allowed;          // peers that need none
  std::vector<std::string> open;  // pages that are for everyone: live, ready ...
  bool control = false;           // what changes something may be asked for

  [[nodiscard]] bool may_see(const server::Exchange& exchange,
                             std::string_view page) const noexcept;
};

// A name that only this machine's users, or an address, can have: a page elsewhere
// whose name was made to lead here shows itself by its own.
[[nodiscard]] bool is_own_host(std::string_view host) noexcept;

}  // namespace celadon::admin
