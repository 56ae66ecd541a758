#include "http/target.h"

#include "http/chars.h"

namespace celadon::http {
namespace {

constexpr std::unexpected<Rejection> kBad{Rejection::BadTarget};

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

std::expected<Target, Rejection> split_query(std::string_view rest,
                                             std::string_view authority) noexcept {
  const auto mark = rest.find('?');
  Target target{rest.substr(0, mark), {}, authority};
  if (mark != std::string_view::npos) target.query = rest.substr(mark + 1);
  if (!is_encoded_path(target.path)) return kBad;
  return target;
}

std::expected<Target, Rejection> parse_absolute(std::string_view method,
                                                std::string_view target) noexcept {
  const auto colon = target.find(':');
  const std::string_view scheme = target.substr(0, colon);
  if (!equals_ignoring_case(scheme, "http") && !equals_ignoring_case(scheme, "https")) {
    return kBad;
  }
  std::string_view rest = target.substr(colon + 1);
  if (!rest.starts_with("//")) return kBad;
  rest.remove_prefix(2);
  const auto end = rest.find_first_of("/?");
  const std::string_view authority = rest.substr(0, end);
  if (!is_authority(authority)) return kBad;
  rest = end == std::string_view::npos ? "" : rest.substr(end);
  if (rest.empty()) return Target{method == "OPTIONS" ? "*" : "/", {}, authority};
  if (rest.front() == '?') return Target{"/", rest.substr(1), authority};
  return split_query(rest, authority);
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

std::expected<Target, Rejection> parse_target(std::string_view method,
                                              std::string_view target) noexcept {
  if (target.empty() || !is_target_text(target)) {
    return std::unexpected(Rejection::BadRequestLine);
  }
  if (method == "CONNECT") {
    if (!is_authority(target) || split_authority(target).port.empty()) return kBad;
    return std::unexpected(Rejection::ConnectMethod);
  }
  if (target.front() == '/') return split_query(target, {});
  if (target == "*") {
    if (method != "OPTIONS") return kBad;
    return Target{target, {}, {}};
  }
  return parse_absolute(method, target);
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

}  // namespace celadon::http
