#include "admin/access.h"

#include <algorithm>
#include <cstdint>
#include <optional>

#include "admin/answer.h"
#include "http/headers.h"
#include "http/target.h"

namespace celadon::admin {
namespace {

constexpr std::string_view kBearer = "Bearer ";
constexpr std::string_view kBasic = "Basic ";

// Takes as long whatever the texts are, for as many bytes.
bool equal_in_time(std::string_view a, std::string_view b) noexcept {
  if (a.size() != b.size()) return false;
  unsigned char differs = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    differs = static_cast<unsigned char>(differs | (a[i] ^ b[i]));
  }
  return differs == 0;
}

std::string decode_base64(std::string_view text) {
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    const std::size_t digit = kDigits.find(c);
    if (digit == kDigits.npos) break;
    bits = bits << 6 | static_cast<std::uint32_t>(digit);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    out += static_cast<char>(bits >> count & 0xff);
  }
  return out;
}

// The token that a request carries: a browser can only send it as a password.
std::string token_of(const http::Request& request) {
  const std::string_view value = field_of(request, "authorization");
  if (value.starts_with(kBearer)) return std::string(value.substr(kBearer.size()));
  if (!value.starts_with(kBasic)) return {};
  const std::string pair = decode_base64(value.substr(kBasic.size()));
  const std::size_t colon = pair.find(':');
  return colon == pair.npos ? std::string() : pair.substr(colon + 1);
}

}  // namespace

bool is_own_host(std::string_view host) noexcept {
  const std::string name(http::split_authority(host).host);
  if (name.empty() || http::equals_ignoring_case(name, "localhost")) return true;
  return name.front() == '[' || std::ranges::all_of(name, [](char c) {
           return (c >= '0' && c <= '9') || c == '.';
         });
}

bool Access::may_see(const server::Exchange& exchange,
                     std::string_view page) const noexcept {
  if (std::ranges::find(open, page) != open.end()) return true;
  if (!token.empty() && equal_in_time(token_of(exchange.request()), token)) return true;
  return allowed.contains(exchange.connection().peer) &&
         is_own_host(field_of(exchange.request(), "host"));
}

}  // namespace celadon::admin
