// Files that the page cache may not hold (design §9: cold files).
#pragma once

#include <sys/types.h>

#include <cstddef>

namespace celadon::wsgi {

// False where reading at `offset` would wait for a disk.
[[nodiscard]] bool in_memory(int file, off_t offset) noexcept;
// Reads a part through on a pool thread while the running greenlet is parked. Where
// nothing can park, or no thread can be started, whoever reads it next waits for the
// disk. The descriptor stays open meanwhile. False with an exception.
[[nodiscard]] bool warm_up(int file, off_t offset, std::size_t size) noexcept;

}  // namespace celadon::wsgi
