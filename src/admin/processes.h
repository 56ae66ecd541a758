// What /proc shows of the server's processes.
#pragma once

#include <sys/types.h>

#include <cstdint>

namespace celadon::admin {

struct ProcessUse {
  double cpu = 0;  // seconds
  std::uint64_t resident = 0;
  std::uint64_t descriptors = 0;  // 0 where they may not be counted
};

// Zeros where there is no such process.
[[nodiscard]] ProcessUse use_of(pid_t pid) noexcept;
// The limit of this process, which is that of all.
[[nodiscard]] std::uint64_t descriptor_limit() noexcept;

}  // namespace celadon::admin
