// What the sessions of a worker count, in plain cells.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "h2/fault.h"

namespace celadon::h2 {

struct Counters {
  std::uint64_t requests = 0;         // heads that reached the server, refused ones too
  std::uint64_t malformed = 0;        // heads and bodies that were stream errors
  std::uint64_t refused_streams = 0;  // for want of a place or of memory
  std::uint64_t peer_resets = 0;      // streams that the peer reset
  std::uint64_t own_resets = 0;       // those that we reset, because of what it sent
  std::array<std::uint64_t, kFaults> faults{};

  [[nodiscard]] std::uint64_t of(Fault fault) const noexcept {
    return faults[static_cast<std::size_t>(fault)];
  }
};

}  // namespace celadon::h2
