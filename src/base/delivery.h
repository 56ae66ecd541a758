// How far what was sent to a peer has come.
#pragma once

#include <cstdint>

namespace celadon {

struct Delivery {
  std::uint64_t sent = 0;   // bytes that were put on their way, with those that wait
  std::uint64_t taken = 0;  // those of them that the peer's side has acknowledged
};

}  // namespace celadon
