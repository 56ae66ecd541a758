#include "base/unescaped.h"

#include <charconv>
#include <cstddef>
#include <cstdint>

namespace celadon {
namespace {

std::size_t digits_after(char kind) noexcept {
  return kind == 'x' ? 2 : kind == 'u' ? 4 : kind == 'U' ? 8 : 0;
}

bool is_character(std::uint32_t code) noexcept {
  return code >= 0x80 && code <= 0x10FFFF && (code < 0xD800 || code > 0xDFFF);
}

void append_utf8(std::string& out, std::uint32_t code) {
  const auto tail = [&](unsigned shift) {
    out += static_cast<char>(0x80 | ((code >> shift) & 0x3F));
  };
  if (code < 0x800) {
    out += static_cast<char>(0xC0 | (code >> 6));
  } else if (code < 0x10000) {
    out += static_cast<char>(0xE0 | (code >> 12));
    tail(6);
  } else {
    out += static_cast<char>(0xF0 | (code >> 18));
    tail(12);
    tail(6);
  }
  tail(0);
}

}  // namespace

std::string unescaped(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const std::size_t count =
        text[0] == '\\' && text.size() > 1 ? digits_after(text[1]) : 0;
    std::uint32_t code = 0;
    if (count != 0 && text.size() >= 2 + count) {
      const char* end = text.data() + 2 + count;
      if (std::from_chars(text.data() + 2, end, code, 16).ptr != end) code = 0;
    }
    if (is_character(code)) {
      append_utf8(out, code);
      text.remove_prefix(2 + count);
    } else {
      out += text[0];
      text.remove_prefix(1);
    }
  }
  return out;
}

}  // namespace celadon
