// What a frame carries (RFC 6455 5.2 and 11.8).
#pragma once

#include <cstdint>

namespace celadon::ws {

enum class Opcode : std::uint8_t {
  Continuation = 0x0,
  Text = 0x1,
  Binary = 0x2,
  Close = 0x8,
  Ping = 0x9,
  Pong = 0xA,
};

// All others are reserved.
[[nodiscard]] constexpr bool is_opcode(unsigned bits) noexcept {
  return bits <= 0x2 || (bits >= 0x8 && bits <= 0xA);
}
// Control frames are short, whole, and may come between the fragments of a message.
[[nodiscard]] constexpr bool is_control(Opcode opcode) noexcept {
  return static_cast<unsigned>(opcode) >= 0x8;
}

}  // namespace celadon::ws
