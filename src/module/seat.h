// A worker's place under its master: what the fork left it with.
#pragma once

#include <vector>

#include "master/commons.h"
#include "net/listener.h"
#include "net/owned_fd.h"

namespace celadon::module {

struct Seat {
  master::Commons& commons;
  std::size_t slot = 0;
  net::OwnedFd control;
  std::vector<net::ListenSocket> listeners;

  [[nodiscard]] metrics::Slot& cells() noexcept { return commons.slot(slot); }
};

}  // namespace celadon::module
