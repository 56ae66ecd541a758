// How urgent an answer is (RFC 9218 4), as the Priority field says.
#pragma once

#include <cstdint>
#include <string_view>

namespace celadon::h2 {

struct Priority {
  std::uint8_t urgency = 3;  // 0 to 7; 0 goes first
  bool incremental = false;  // of use in pieces: it takes turns with its like

  bool operator==(const Priority&) const = default;
};

// Members that are unknown or malformed count for nothing, and so does the field then.
[[nodiscard]] Priority parse_priority(std::string_view value) noexcept;

}  // namespace celadon::h2
