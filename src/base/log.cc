#include "base/log.h"

namespace celadon {

void append_escaped(std::string& out, std::string_view bytes) {
  static constexpr char kHex[] = "0123456789abcdef";
  for (const char c : bytes) {
    const auto u = static_cast<unsigned char>(c);
    if (u < 0x20 || u > 0x7e || c == '"' || c == '\\') {
      out += "\\x";
      out += kHex[u >> 4];
      out += kHex[u & 15];
    } else {
      out += c;
    }
  }
}

std::string escape_for_log(std::string_view bytes, std::size_t limit) {
  std::string out;
  append_escaped(out, bytes.substr(0, limit));
  if (bytes.size() > limit) out += "...";
  return out;
}

}  // namespace celadon
