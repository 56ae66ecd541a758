// What /proc shows of a process.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

namespace celadon::master {

// Bytes of memory that are resident; 0 where it cannot be told.
[[nodiscard]] std::uint64_t resident_bytes(pid_t pid) noexcept;
// For a log line: `state D (disk sleep), in nfs_wait_bit_killable`.
[[nodiscard]] std::string describe_state(pid_t pid);

}  // namespace celadon::master
