// Files for request bodies that are too large for memory. Apart from the rest so that
// tests can link others in place of them, whose disk is full.
#pragma once

#include <string>
#include <string_view>

namespace celadon::server {

// An unnamed file in `directory`: nothing is left behind, whatever happens. -1: none.
[[nodiscard]] int open_spool(const std::string& directory) noexcept;
// False: not all of it was written.
[[nodiscard]] bool write_spool(int fd, std::string_view data) noexcept;
void close_spool(int fd) noexcept;

}  // namespace celadon::server
