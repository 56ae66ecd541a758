// Addresses of peers and listeners, in the forms that people write, and the networks
// that a setting trusts.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <expected>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace celadon::net {

enum class Family : std::uint8_t { None, V4, V6, Unix };

// A peer or local address in 20 bytes: every idle connection keeps one. Unix peers have
// no name worth keeping.
class Address {
 public:
  Address() noexcept = default;
  static Address from_sockaddr(const sockaddr* sa, socklen_t size) noexcept;
  static Address v4(std::span<const std::uint8_t, 4> ip, std::uint16_t port) noexcept;
  static Address v6(std::span<const std::uint8_t, 16> ip, std::uint16_t port) noexcept;
  static Address unix_peer() noexcept;
  // An IP literal, without port or brackets.
  static std::expected<Address, Error> parse_ip(std::string_view text) noexcept;

  [[nodiscard]] Family family() const noexcept { return family_; }
  [[nodiscard]] std::uint16_t port() const noexcept { return port_; }
  [[nodiscard]] std::span<const std::uint8_t> ip() const noexcept;
  [[nodiscard]] bool has_ip_of(const Address& other) const noexcept {
    return family_ == other.family_ && ip_ == other.ip_;
  }
  bool operator==(const Address&) const noexcept = default;
  // Dotted for IPv4, RFC 5952 without brackets for IPv6, empty for a unix socket. An
  // IPv4-mapped address was turned into IPv4 when it was made.
  [[nodiscard]] std::string ip_text() const;
  // For log lines: `1.2.3.4:80`, `[::1]:80`, `unix:`.
  [[nodiscard]] std::string text() const;

 private:
  std::array<std::uint8_t, 16> ip_{};
  std::uint16_t port_ = 0;
  Family family_ = Family::None;
};

// The path of a unix socket, `@NAME` of an abstract one, as in `bind`; empty where it
// has no name, or is none.
[[nodiscard]] std::string unix_path(const sockaddr* sa, socklen_t size);

// Where to listen: one value of `bind`.
struct BindTarget {
  enum class Kind : std::uint8_t { Tcp, UnixPath, UnixAbstract, Fd };
  Kind kind = Kind::Tcp;
  std::string host;        // Tcp: a name or literal; empty means every address
  std::uint16_t port = 0;  // Tcp
  std::string path;        // UnixPath, UnixAbstract
  int fd = -1;             // Fd
};

// `HOST`, `HOST:PORT`, `[V6]:PORT`, `:PORT`, `unix:PATH`, `unix:@NAME`, `fd://N`. The
// port is 8000 where none is given, as in gunicorn.
[[nodiscard]] std::expected<BindTarget, Error> parse_bind(std::string_view text);

// A set of IP networks; `*` holds everything. Unix peers are held by every set that is
// not empty: who may open the socket file decides there.
class Networks {
 public:
  // Comma-separated literals and CIDR blocks.
  static std::expected<Networks, Error> parse(std::string_view list);
  [[nodiscard]] bool contains(const Address& address) const noexcept;
  [[nodiscard]] bool empty() const noexcept { return !any_ && blocks_.empty(); }

 private:
  struct Block {
    Address address;
    unsigned bits;
  };
  static std::expected<Block, Error> parse_block(std::string_view text) noexcept;
  std::vector<Block> blocks_;
  bool any_ = false;
};

}  // namespace celadon::net
