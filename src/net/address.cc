#include "net/address.h"

#include <arpa/inet.h>
#include <sys/un.h>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstring>

namespace celadon::net {
namespace {

constexpr std::uint16_t kDefaultPort = 8000;
constexpr std::array<std::uint8_t, 12> kMappedPrefix{0, 0, 0, 0, 0,    0,
                                                     0, 0, 0, 0, 0xff, 0xff};

template <class Number>
std::expected<Number, Error> parse_number(std::string_view text) noexcept {
  Number value{};
  const char* end = text.data() + text.size();
  const auto [at, err] = std::from_chars(text.data(), end, value);
  if (err != std::errc{} || at != end || text.empty()) {
    return std::unexpected(Error::BadAddress);
  }
  return value;
}

std::string_view trim(std::string_view text) noexcept {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

}  // namespace

Address Address::v4(std::span<const std::uint8_t, 4> ip, std::uint16_t port) noexcept {
  Address a;
  std::ranges::copy(ip, a.ip_.begin());
  a.port_ = port;
  a.family_ = Family::V4;
  return a;
}

Address Address::v6(std::span<const std::uint8_t, 16> ip, std::uint16_t port) noexcept {
  if (std::ranges::equal(ip.first<12>(), kMappedPrefix)) {
    return v4(ip.subspan<12, 4>(), port);
  }
  Address a;
  std::ranges::copy(ip, a.ip_.begin());
  a.port_ = port;
  a.family_ = Family::V6;
  return a;
}

Address Address::unix_peer() noexcept {
  Address a;
  a.family_ = Family::Unix;
  return a;
}

Address Address::from_sockaddr(const sockaddr* sa, socklen_t size) noexcept {
  if (size < sizeof(sa_family_t)) return unix_peer();  // an unnamed unix peer
  if (sa->sa_family == AF_INET && size >= sizeof(sockaddr_in)) {
    sockaddr_in in{};
    std::memcpy(&in, sa, sizeof in);
    std::array<std::uint8_t, 4> ip{};
    std::memcpy(ip.data(), &in.sin_addr, 4);
    return v4(ip, ntohs(in.sin_port));
  }
  if (sa->sa_family == AF_INET6 && size >= sizeof(sockaddr_in6)) {
    sockaddr_in6 in{};
    std::memcpy(&in, sa, sizeof in);
    std::array<std::uint8_t, 16> ip{};
    std::memcpy(ip.data(), &in.sin6_addr, 16);
    return v6(ip, ntohs(in.sin6_port));
  }
  return unix_peer();
}

std::string unix_path(const sockaddr* sa, socklen_t size) {
  constexpr socklen_t kBefore = offsetof(sockaddr_un, sun_path);
  if (size <= kBefore || sa->sa_family != AF_UNIX) return {};
  std::string path(reinterpret_cast<const char*>(sa) + kBefore, size - kBefore);
  if (path.front() == '\0') return path.replace(0, 1, "@");
  path.resize(::strnlen(path.data(), path.size()));
  return path;
}

std::expected<Address, Error> Address::parse_ip(std::string_view text) noexcept {
  char buffer[INET6_ADDRSTRLEN + 1];
  // inet_pton would stop at a NUL and take what stands before it.
  if (text.size() >= sizeof buffer || text.find('\0') != std::string_view::npos) {
    return std::unexpected(Error::BadAddress);
  }
  std::memcpy(buffer, text.data(), text.size());
  buffer[text.size()] = 0;
  std::array<std::uint8_t, 16> ip{};
  if (::inet_pton(AF_INET, buffer, ip.data()) == 1) {
    return v4(std::span<const std::uint8_t, 16>(ip).first<4>(), 0);
  }
  if (::inet_pton(AF_INET6, buffer, ip.data()) == 1) return v6(ip, 0);
  return std::unexpected(Error::BadAddress);
}

std::span<const std::uint8_t> Address::ip() const noexcept {
  const std::size_t size = family_ == Family::V4 ? 4 : family_ == Family::V6 ? 16 : 0;
  return std::span(ip_).first(size);
}

std::string Address::ip_text() const {
  char buffer[INET6_ADDRSTRLEN];
  const int family = family_ == Family::V4 ? AF_INET : AF_INET6;
  if (ip().empty() || !::inet_ntop(family, ip_.data(), buffer, sizeof buffer))
    return {};
  return buffer;
}

std::string Address::text() const {
  switch (family_) {
    case Family::V4: return ip_text() + ":" + std::to_string(port_);
    case Family::V6: return "[" + ip_text() + "]:" + std::to_string(port_);
    case Family::Unix: return "unix:";
    case Family::None: break;
  }
  return "-";
}

std::expected<BindTarget, Error> parse_bind(std::string_view text) {
  BindTarget target;
  if (text.starts_with("unix:")) {
    std::string_view path = text.substr(5);
    if (path.starts_with("//")) path.remove_prefix(2);
    target.kind = BindTarget::Kind::UnixPath;
    if (path.starts_with('@')) {
      target.kind = BindTarget::Kind::UnixAbstract;
      path.remove_prefix(1);
    }
    if (path.empty()) return std::unexpected(Error::BadAddress);
    if (path.size() >= sizeof(sockaddr_un{}.sun_path)) {
      return std::unexpected(Error::PathTooLong);
    }
    target.path = path;
    return target;
  }
  if (text.starts_with("fd://")) {
    const auto fd = parse_number<unsigned>(text.substr(5));
    if (!fd || *fd > 1'000'000) return std::unexpected(Error::BadAddress);
    target.kind = BindTarget::Kind::Fd;
    target.fd = static_cast<int>(*fd);
    return target;
  }
  if (text.empty()) return std::unexpected(Error::BadAddress);
  std::string_view port;
  target.port = kDefaultPort;
  if (text.starts_with('[')) {
    const auto close = text.find(']');
    if (close == std::string_view::npos) return std::unexpected(Error::BadAddress);
    target.host = text.substr(1, close - 1);
    port = text.substr(close + 1);
    if (!Address::parse_ip(target.host)) return std::unexpected(Error::BadAddress);
  } else {
    const auto colon = text.find(':');
    if (colon != text.rfind(':')) return std::unexpected(Error::BadAddress);
    target.host = text.substr(0, colon);
    port = colon == std::string_view::npos ? "" : text.substr(colon);
  }
  if (!port.empty()) {
    const auto number = parse_number<std::uint16_t>(port.substr(1));
    if (port.front() != ':' || !number) return std::unexpected(Error::BadAddress);
    target.port = *number;
  }
  return target;
}

std::expected<Networks::Block, Error> Networks::parse_block(
    std::string_view text) noexcept {
  const auto slash = text.find('/');
  const auto address = Address::parse_ip(text.substr(0, slash));
  if (!address) return std::unexpected(address.error());
  const auto width = static_cast<unsigned>(address->ip().size() * 8);
  if (slash == std::string_view::npos) return Block{*address, width};
  const auto bits = parse_number<unsigned>(text.substr(slash + 1));
  if (!bits || *bits > width) return std::unexpected(Error::BadAddress);
  return Block{*address, *bits};
}

std::expected<Networks, Error> Networks::parse(std::string_view list) {
  Networks networks;
  while (!list.empty()) {
    const auto comma = list.find(',');
    const std::string_view item = trim(list.substr(0, comma));
    list = comma == std::string_view::npos ? "" : list.substr(comma + 1);
    if (item.empty()) continue;
    if (item == "*") {
      networks.any_ = true;
      continue;
    }
    const auto block = parse_block(item);
    if (!block) return std::unexpected(block.error());
    networks.blocks_.push_back(*block);
  }
  return networks;
}

bool Networks::contains(const Address& address) const noexcept {
  if (any_) return true;
  if (address.family() == Family::Unix) return !blocks_.empty();
  const auto ip = address.ip();
  return std::ranges::any_of(blocks_, [&](const Block& block) {
    if (block.address.family() != address.family()) return false;
    const auto net = block.address.ip();
    const std::size_t whole = block.bits / 8;
    if (!std::equal(net.begin(), net.begin() + static_cast<std::ptrdiff_t>(whole),
                    ip.begin())) {
      return false;
    }
    const unsigned rest = block.bits % 8;
    return rest == 0 || (net[whole] ^ ip[whole]) >> (8 - rest) == 0;
  });
}

}  // namespace celadon::net
