#include "http/target.h"

#include "http/chars.h"

namespace celadon::http {
namespace {

// Every '%' begins two hex digits, and none of them makes a NUL (RL18).
bool is_encoded_path(std::string_view path) noexcept {
  for (auto at = path.find('%'); at != std::string_view::npos;
       at = path.find('%', at + 3)) {
    if (at + 2 >= path.size() || !is_hex(path[at + 1]) || !is_hex(path[at + 2]))
      return false;
    if (path[at + 1] == '0' && path[at + 2] == '0') return false;
  }
  return true;
}

// `marks` tells which of '?' and '%' are there at all: mostly none is.
Rejection split_query(std::string_view rest, unsigned marks, Target& out) noexcept {
  out.path = rest;
  if ((marks & detail::kQueryMark) != 0) {
    const auto mark = rest.find('?');
    out.path = rest.substr(0, mark);
    if (mark != std::string_view::npos) out.query = rest.substr(mark + 1);
  }
  const bool encoded = (marks & detail::kPercent) != 0;
  return encoded && !is_encoded_path(out.path) ? Rejection::BadTarget : Rejection::None;
}

Rejection parse_absolute(std::string_view method, std::string_view target,
                         unsigned marks, Target& out) noexcept {
  const auto colon = target.find(':');
  const std::string_view scheme = target.substr(0, colon);
  if (!equals_ignoring_case(scheme, "http") && !equals_ignoring_case(scheme, "https")) {
    return Rejection::BadTarget;
  }
  std::string_view rest = target.substr(colon + 1);
  if (!rest.starts_with("//")) return Rejection::BadTarget;
  rest.remove_prefix(2);
  const auto end = rest.find_first_of("/?");
  out.authority = rest.substr(0, end);
  if (!is_authority(out.authority)) return Rejection::BadTarget;
  rest = end == std::string_view::npos ? "" : rest.substr(end);
  if (!rest.empty() && rest.front() == '/') return split_query(rest, marks, out);
  out.path = rest.empty() && method == "OPTIONS" ? "*" : "/";
  if (!rest.empty()) out.query = rest.substr(1);
  return Rejection::None;
}

bool is_port(std::string_view text) noexcept {
  if (text.empty()) return true;  // RFC 3986: an empty port is the default one
  unsigned port = 0;
  for (const char c : text) {
    if (!is_digit(c)) return false;
    port = port * 10 + static_cast<unsigned>(c - '0');
    if (port > 65535) return false;
  }
  return true;
}

// The shape is checked, not the address: groups of hex digits, colons, a dotted tail.
bool is_ip6(std::string_view text) noexcept {
  if (text.size() < 2) return false;
  unsigned colons = 0;
  for (const char c : text) {
    if (c == ':') {
      ++colons;
    } else if (!is_hex(c) && c != '.') {
      return false;
    }
  }
  return colons >= 2 && colons <= 7;
}

}  // namespace

HostPort split_authority(std::string_view authority) noexcept {
  if (authority.starts_with('[')) {
    const auto close = authority.find(']');
    if (close == std::string_view::npos) return {authority, {}};
    const std::string_view rest = authority.substr(close + 1);
    return {authority.substr(0, close + 1), rest.empty() ? rest : rest.substr(1)};
  }
  const auto colon = authority.find(':');
  if (colon == std::string_view::npos) return {authority, {}};
  return {authority.substr(0, colon), authority.substr(colon + 1)};
}

bool is_authority(std::string_view text) noexcept {
  const auto [host, port] = split_authority(text);
  if (host.empty() || !is_port(port)) return false;
  if (!host.starts_with('[')) return is_host_text(host);
  if (!host.ends_with(']') || !is_ip6(host.substr(1, host.size() - 2))) return false;
  return text.size() == host.size() || text[host.size()] == ':';
}

Rejection parse_target(std::string_view method, std::string_view target,
                       Target& out) noexcept {
  const auto [in_all, in_any] = detail::classes_of(target);
  if (target.empty() || (in_all & detail::kTarget) == 0) {
    return Rejection::BadRequestLine;
  }
  out = {};
  if (target.front() == '/' && method != "CONNECT") {
    return split_query(target, in_any, out);
  }
  if (method == "CONNECT") {
    const bool good = is_authority(target) && !split_authority(target).port.empty();
    return good ? Rejection::ConnectMethod : Rejection::BadTarget;
  }
  if (target == "*") {
    out.path = target;
    return method == "OPTIONS" ? Rejection::None : Rejection::BadTarget;
  }
  return parse_absolute(method, target, in_any, out);
}

void percent_decode(std::string_view text, std::string& out) {
  while (true) {
    const auto at = text.find('%');
    out.append(text.substr(0, at));
    if (at == std::string_view::npos) return;
    out.push_back(
        static_cast<char>(hex_value(text[at + 1]) << 4 | hex_value(text[at + 2])));
    text.remove_prefix(at + 3);
  }
}

std::optional<std::size_t> prefix_size(std::string_view path,
                                       std::string_view prefix) noexcept {
  std::size_t at = 0;
  for (const char wanted : prefix) {
    if (at >= path.size()) return {};
    char c = path[at];
    std::size_t taken = 1;
    if (c == '%' && path.size() - at > 2) {
      c = static_cast<char>(hex_value(path[at + 1]) << 4 | hex_value(path[at + 2]));
      if (c == '/') return {};
      taken = 3;
    }
    if (c != wanted) return {};
    at += taken;
  }
  if (at < path.size() && path[at] != '/') return {};
  return at;
}

std::string_view below(std::string_view path, std::string_view prefix) noexcept {
  return path.substr(prefix_size(path, prefix).value_or(0));
}

}  // namespace celadon::http
