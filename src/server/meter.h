// Who measures requests, once each has ended.
#pragma once

#include <string_view>

#include "base/clock.h"
#include "server/exchange.h"

namespace celadon::server {

struct Finished {
  Exchange& exchange;
  Nanos duration;    // since its head was there
  Nanos queued;      // before the application began, that before a proxy's included
  Nanos held_up;     // of that, for a place among those that run
  Nanos first_byte;  // until the head of its answer left; kNever: none did
};

class Meter {
 public:
  virtual ~Meter() = default;
  virtual void on_finished(const Finished& request) noexcept = 0;
  // One that took long, described.
  virtual void on_slow(std::string_view description) noexcept = 0;
};

}  // namespace celadon::server
