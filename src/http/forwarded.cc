#include "http/forwarded.h"

#include "http/chars.h"
#include "http/headers.h"

namespace celadon::http {
namespace {

// "1.2.3.4", "1.2.3.4:5", "[::1]:5", "::1" to the address alone.
std::string_view strip_port(std::string_view node) noexcept {
  if (node.starts_with('[')) {
    const auto close = node.find(']');
    return close == std::string_view::npos ? "" : node.substr(1, close - 1);
  }
  const auto colon = node.find(':');
  if (colon != std::string_view::npos &&
      node.find(':', colon + 1) == std::string_view::npos) {
    return node.substr(0, colon);
  }
  return node;
}

bool looks_like_ip(std::string_view text) noexcept {
  if (text.empty()) return false;
  for (const char c : text) {
    if (!is_hex(c) && c != '.' && c != ':') return false;
  }
  return true;
}

std::string_view to_address(std::string_view node) noexcept {
  const std::string_view address = strip_port(node);
  return looks_like_ip(address) ? address : std::string_view{};
}

// Cuts `text` at `mark` outside of quoted strings; `rest` is what follows.
std::string_view cut(std::string_view text, char mark,
                     std::string_view& rest) noexcept {
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (quoted && text[i] == '\\') {
      ++i;
    } else if (text[i] == '"') {
      quoted = !quoted;
    } else if (text[i] == mark && !quoted) {
      rest = text.substr(i + 1);
      return text.substr(0, i);
    }
  }
  rest = {};
  return text;
}

}  // namespace

std::vector<std::string_view> parse_x_forwarded_for(std::string_view value) {
  std::vector<std::string_view> out;
  for_each_element(value,
                   [&](std::string_view node) { out.push_back(to_address(node)); });
  return out;
}

std::vector<std::string_view> parse_forwarded_for(std::string_view value) {
  std::vector<std::string_view> out;
  while (!value.empty()) {
    std::string_view element = cut(value, ',', value);
    std::string_view found;
    while (!element.empty()) {
      const std::string_view pair = trim_ows(cut(element, ';', element));
      const auto equals = pair.find('=');
      if (equals == std::string_view::npos) continue;
      if (!equals_ignoring_case(pair.substr(0, equals), "for")) continue;
      std::string_view node = pair.substr(equals + 1);
      if (node.size() >= 2 && node.front() == '"' && node.back() == '"') {
        node = node.substr(1, node.size() - 2);
      }
      found = to_address(node);
    }
    out.push_back(found);
  }
  return out;
}

}  // namespace celadon::http
