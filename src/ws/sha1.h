// SHA-1 (RFC 3174), which the handshake asks for. It proves that who answers has read
// the request as WebSocket, and keeps no secret.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace celadon::ws {

using Sha1Digest = std::array<std::uint8_t, 20>;
[[nodiscard]] Sha1Digest sha1(std::string_view text) noexcept;

}  // namespace celadon::ws
