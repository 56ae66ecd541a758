// How many connections wait in the kernel to be accepted: asked of it by sock_diag(7),
// for sockets that other processes have.
#pragma once

#include <cstdint>
#include <map>

namespace celadon::admin {

struct Backlog {
  std::uint32_t waiting = 0;
  std::uint32_t limit = 0;
};

// Of all listening sockets of TCP and of unix here, by their inodes.
[[nodiscard]] std::map<std::uint64_t, Backlog> read_backlogs() noexcept;

}  // namespace celadon::admin
