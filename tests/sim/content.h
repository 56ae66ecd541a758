// What bodies hold: each byte follows from the body's id and the byte's offset, so that
// one that is lost, repeated or another body's shows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace celadon::sim {

void append_content(std::string& out, std::uint64_t id, std::uint64_t offset,
                    std::size_t size);
[[nodiscard]] bool is_content(const char* data, std::size_t size, std::uint64_t id,
                              std::uint64_t offset) noexcept;

// A message of that size; text is UTF-8 with characters of all widths.
[[nodiscard]] std::string message_of(bool is_text, std::uint64_t id, std::size_t size);

}  // namespace celadon::sim
