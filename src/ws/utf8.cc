#include "ws/utf8.h"

#include <cstddef>
#include <cstring>

namespace celadon::ws {
namespace {

// How many bytes at the front are ASCII, but for fewer than a word.
std::size_t skip_ascii(std::string_view text) noexcept {
  constexpr std::uint64_t kHighBits = 0x8080'8080'8080'8080;
  std::size_t at = 0;
  for (; text.size() - at >= sizeof(std::uint64_t); at += sizeof(std::uint64_t)) {
    std::uint64_t word = 0;
    std::memcpy(&word, text.data() + at, sizeof word);
    if ((word & kHighBits) != 0) break;
  }
  return at;
}

}  // namespace

bool Utf8::take(std::string_view piece) noexcept {
  while (!piece.empty()) {
    if (missing_ == 0) piece.remove_prefix(skip_ascii(piece));
    if (piece.empty()) return true;
    const auto byte = static_cast<std::uint8_t>(piece.front());
    piece.remove_prefix(1);
    if (missing_ == 0) {
      if (!take_first(byte)) return false;
      continue;
    }
    if (byte < lowest_ || byte > highest_) return false;
    --missing_;
    lowest_ = 0x80;
    highest_ = 0xBF;
  }
  return true;
}

bool Utf8::take_first(std::uint8_t byte) noexcept {
  if (byte < 0x80) return true;
  if (byte < 0xC2 || byte > 0xF4) return false;
  missing_ = byte < 0xE0 ? 1 : byte < 0xF0 ? 2 : 3;
  if (byte == 0xE0) lowest_ = 0xA0;
  if (byte == 0xED) highest_ = 0x9F;
  if (byte == 0xF0) lowest_ = 0x90;
  if (byte == 0xF4) highest_ = 0x8F;
  return true;
}

}  // namespace celadon::ws
