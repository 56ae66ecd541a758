#include "ws/accept_key.h"

#include <algorithm>
#include <cstdint>
#include <span>

#include "ws/sha1.h"

namespace celadon::ws {
namespace {

constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view kPurpose = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

// Three bytes are four characters; what lacks of them is '='.
std::string base64(std::span<const std::uint8_t> bytes) {
  std::string out;
  for (; !bytes.empty();
       bytes = bytes.subspan(std::min<std::size_t>(3, bytes.size()))) {
    std::uint32_t three = 0;
    for (std::size_t i = 0; i < 3; ++i)
      three = three << 8 | (i < bytes.size() ? bytes[i] : 0U);
    for (std::size_t i = 0; i < 4; ++i) {
      const auto six = three >> (18 - 6 * i) & 0x3F;
      out += i <= bytes.size() ? kAlphabet[six] : '=';
    }
  }
  return out;
}

}  // namespace

bool is_key(std::string_view key) noexcept {
  constexpr std::size_t kCharacters = 22;  // of 16 bytes; two more fill them up
  if (key.size() != kCharacters + 2 || !key.ends_with("==")) return false;
  key.remove_suffix(2);
  if (key.find_first_not_of(kAlphabet) != std::string_view::npos) return false;
  // The last character has two bits of the sixteenth byte, and four that are zero.
  return kAlphabet.find(key.back()) % 16 == 0;
}

std::string accept_of(std::string_view key) {
  return base64(sha1(std::string(key).append(kPurpose)));
}

}  // namespace celadon::ws
