// What handshakes come to, and how often.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace celadon::tls {

// Why one failed.
enum class Failure : std::uint8_t {
  None,
  PlainHttp,   // the peer speaks HTTP in the clear
  NotTls,      // or something else
  Versions,    // no version in common
  Ciphers,     // no cipher, group or kind of signature in common
  Protocols,   // no protocol in common (ALPN)
  Names,       // a name that no certificate is for
  ClientCert,  // the client's: missing, not trusted, expired, revoked
  Refused,     // the peer does not want ours: it has sent an alert
  Left,        // the peer has gone
  Other,
};
inline constexpr std::array<std::string_view, 11> kFailureNames{
    "ok",   "plain_http",  "not_tls", "version", "cipher", "protocol",
    "name", "certificate", "refused", "left",    "other"};

[[nodiscard]] constexpr std::string_view describe(Failure failure) noexcept {
  return kFailureNames[static_cast<std::size_t>(failure)];
}

struct Counters {
  // Of TLS 1.2 and of 1.3; whole handshakes and resumed ones.
  std::array<std::array<std::uint64_t, 2>, 2> done{};
  std::array<std::uint64_t, kFailureNames.size()> failed{};
};

}  // namespace celadon::tls
