// The PROXY protocol, versions 1 (text) and 2 (binary), as HAProxy specifies it: bytes
// in, addresses out. Who may send it is decided elsewhere.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "net/address.h"

namespace celadon::net {

enum class ProxyMode : std::uint8_t { Off, V1, V2, Auto };

struct ProxyResult {
  enum class Step : std::uint8_t { NeedMore, Done, Bad };
  Step step = Step::NeedMore;
  std::size_t consumed = 0;       // Done: bytes of the header
  std::optional<Address> source;  // none: LOCAL, UNKNOWN, or a family without IPs
  std::optional<Address> destination;
};

inline constexpr std::size_t kProxyV1Limit = 107;
inline constexpr std::size_t kProxyV2Limit = 4096;

// Looks at the first bytes of a connection; call again with more after NeedMore.
[[nodiscard]] ProxyResult parse_proxy_header(std::string_view bytes,
                                             ProxyMode mode) noexcept;

}  // namespace celadon::net
