// Files that the page cache may not hold (design §9: cold files).
#pragma once

#include <sys/types.h>

#include <cstddef>

namespace celadon::gateway {

// How many of `size` bytes at `offset` can be had without waiting for a disk. All of
// them where the file ends before, or nobody can say.
[[nodiscard]] std::size_t bytes_in_memory(int file, off_t offset,
                                          std::size_t size) noexcept;
// Reads a part through on a pool thread while the running greenlet is parked. Where
// nothing can park, or no thread can be started, whoever reads it next waits for the
// disk. The descriptor stays open meanwhile. False with an exception.
[[nodiscard]] bool warm_up(int file, off_t offset, std::size_t size) noexcept;

}  // namespace celadon::gateway
