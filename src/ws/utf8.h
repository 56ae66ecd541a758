// UTF-8 that comes in pieces (RFC 3629): judged byte by byte, so that a text is known
// to be bad at its first byte that cannot be, wherever the pieces are cut.
#pragma once

#include <cstdint>
#include <string_view>

namespace celadon::ws {

class Utf8 {
 public:
  // False: a byte of `piece` cannot stand where it does. Nothing may follow then.
  [[nodiscard]] bool take(std::string_view piece) noexcept;
  // No character is cut off at the end.
  [[nodiscard]] bool is_whole() const noexcept { return missing_ == 0; }

 private:
  bool take_first(std::uint8_t byte) noexcept;

  std::uint8_t missing_ = 0;  // bytes of the current character
  // What the next one may be: narrower behind E0, ED, F0 and F4, which would else begin
  // overlong forms, surrogates, and what is beyond U+10FFFF.
  std::uint8_t lowest_ = 0x80;
  std::uint8_t highest_ = 0xBF;
};

}  // namespace celadon::ws
