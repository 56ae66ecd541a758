#include "net/proxy_protocol.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace celadon::net {
namespace {

using Step = ProxyResult::Step;
constexpr std::string_view kSignatureV2{"\r\n\r\n\0\r\nQUIT\n", 12};
constexpr std::string_view kSignatureV1 = "PROXY ";
constexpr ProxyResult kBad{Step::Bad, 0, {}, {}};

bool is_prefix_of(std::string_view bytes, std::string_view whole) noexcept {
  return whole.starts_with(bytes.substr(0, whole.size()));
}

std::optional<std::uint16_t> parse_port(std::string_view text) noexcept {
  std::uint16_t port = 0;
  const char* end = text.data() + text.size();
  const auto [at, err] = std::from_chars(text.data(), end, port);
  const bool padded = text.size() > 1 && text.front() == '0';
  if (text.empty() || err != std::errc{} || at != end || padded) return {};
  return port;
}

std::optional<Address> with_port(std::string_view ip, std::string_view port,
                                 bool v6) noexcept {
  const auto address = Address::parse_ip(ip);
  const auto number = parse_port(port);
  if (!address || !number || ip.contains(':') != v6) return {};
  const auto bytes = address->ip();
  if (bytes.size() == 4) return Address::v4(bytes.first<4>(), *number);
  return Address::v6(bytes.first<16>(), *number);
}

ProxyResult parse_v1(std::string_view bytes) noexcept {
  const auto head = bytes.substr(0, kProxyV1Limit);
  const auto end = head.find("\r\n");
  if (end == std::string_view::npos) {
    const bool full = head.size() == kProxyV1Limit;
    const auto lf = head.find('\n');
    return full || lf != std::string_view::npos ? kBad : ProxyResult{};
  }
  std::string_view line = head.substr(kSignatureV1.size(), end - kSignatureV1.size());
  if (line.find('\n') != std::string_view::npos) return kBad;
  ProxyResult result{Step::Done, end + 2, {}, {}};
  if (line == "UNKNOWN" || line.starts_with("UNKNOWN ")) return result;
  std::array<std::string_view, 5> words;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const auto space = line.find(' ');
    if ((space == std::string_view::npos) != (i + 1 == words.size())) return kBad;
    words[i] = line.substr(0, space);
    line = space == std::string_view::npos ? "" : line.substr(space + 1);
  }
  const bool v6 = words[0] == "TCP6";
  if (!v6 && words[0] != "TCP4") return kBad;
  result.source = with_port(words[1], words[3], v6);
  result.destination = with_port(words[2], words[4], v6);
  return result.source && result.destination ? result : kBad;
}

std::uint16_t big_endian(const std::uint8_t* at) noexcept {
  return static_cast<std::uint16_t>(at[0] << 8 | at[1]);
}

ProxyResult parse_v2(std::string_view bytes) noexcept {
  constexpr std::size_t kFixed = 16;
  if (bytes.size() < kFixed) return {};
  const auto* at = reinterpret_cast<const std::uint8_t*>(bytes.data());
  const unsigned command = at[12] & 15U;
  const std::size_t length = big_endian(at + 14);
  if (at[12] >> 4 != 2 || command > 1 || kFixed + length > kProxyV2Limit) return kBad;
  if (bytes.size() < kFixed + length) return {};
  ProxyResult result{Step::Done, kFixed + length, {}, {}};
  if (command == 0) return result;  // LOCAL: a health check of the proxy itself
  const std::uint8_t* body = at + kFixed;
  const unsigned family = at[13] >> 4;
  if (family > 3 || (at[13] & 15U) > 2) return kBad;
  if (family == 1) {
    if (length < 12) return kBad;
    const std::span<const std::uint8_t, 12> b(body, 12);
    result.source = Address::v4(b.first<4>(), big_endian(body + 8));
    result.destination = Address::v4(b.subspan<4, 4>(), big_endian(body + 10));
  } else if (family == 2) {
    if (length < 36) return kBad;
    const std::span<const std::uint8_t, 36> b(body, 36);
    result.source = Address::v6(b.first<16>(), big_endian(body + 32));
    result.destination = Address::v6(b.subspan<16, 16>(), big_endian(body + 34));
  } else if (family == 3 && length < 216) {
    return kBad;
  }
  // What follows the addresses are TLVs: bounded by the length, not used.
  return result;
}

}  // namespace

ProxyResult parse_proxy_header(std::string_view bytes, ProxyMode mode) noexcept {
  if (bytes.empty()) return {};
  const bool v1 = mode != ProxyMode::V2 && is_prefix_of(bytes, kSignatureV1);
  const bool v2 = mode != ProxyMode::V1 && is_prefix_of(bytes, kSignatureV2);
  if (v1) return bytes.size() < kSignatureV1.size() ? ProxyResult{} : parse_v1(bytes);
  if (v2) return bytes.size() < kSignatureV2.size() ? ProxyResult{} : parse_v2(bytes);
  return kBad;
}

}  // namespace celadon::net
