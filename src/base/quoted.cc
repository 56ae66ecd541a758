#include "base/quoted.h"

#include <cstddef>
#include <cstdint>

namespace celadon {
namespace {

struct Character {
  std::uint32_t code = 0;
  std::size_t bytes = 0;  // 0: none begins here
};

// By the table of well-formed UTF-8: no surrogates, nothing longer than it must be.
Character first_character(std::string_view text) noexcept {
  const auto at = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned lead = at(0);
  const std::size_t bytes = lead < 0xC2   ? 0
                            : lead < 0xE0 ? 2
                            : lead < 0xF0 ? 3
                            : lead < 0xF5 ? 4
                                          : 0;
  if (bytes == 0 || text.size() < bytes) return {};
  std::uint32_t code = lead & (0xFFu >> (bytes + 1));
  for (std::size_t i = 1; i < bytes; ++i) {
    if ((at(i) & 0xC0) != 0x80) return {};
    code = code << 6 | (at(i) & 0x3F);
  }
  const bool too_long = (bytes == 3 && code < 0x800) || (bytes == 4 && code < 0x10000);
  const bool is_half = code >= 0xD800 && code <= 0xDFFF;
  return too_long || is_half || code > 0x10FFFF ? Character{} : Character{code, bytes};
}

void append_unit(std::string& out, std::uint32_t unit) {
  constexpr char kHex[] = "0123456789abcdef";
  out += "\\u";
  for (int shift = 12; shift >= 0; shift -= 4) out += kHex[unit >> shift & 15];
}

void append_escaped(std::string& out, std::uint32_t code) {
  if (code < 0x10000) return append_unit(out, code);
  append_unit(out, 0xD7C0 + (code >> 10));
  append_unit(out, 0xDC00 + (code & 0x3FF));
}

}  // namespace

void append_quoted(std::string& out, std::string_view text) {
  out += '"';
  while (!text.empty()) {
    const auto byte = static_cast<unsigned char>(text[0]);
    std::size_t taken = 1;
    if (byte == '"' || byte == '\\') {
      out += '\\';
      out += text[0];
    } else if (byte >= 0x20 && byte < 0x7f) {
      out += text[0];
    } else if (const Character found = first_character(text); found.bytes != 0) {
      append_escaped(out, found.code);
      taken = found.bytes;
    } else {
      append_unit(out, byte);
    }
    text.remove_prefix(taken);
  }
  out += '"';
}

}  // namespace celadon
