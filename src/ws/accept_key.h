// The key of a handshake and what answers it (RFC 6455 4.2.1 and 4.2.2).
#pragma once

#include <string>
#include <string_view>

namespace celadon::ws {

// The canonical base64 (RFC 4648 section 4) of 16 bytes.
[[nodiscard]] bool is_key(std::string_view key) noexcept;
// The value of Sec-WebSocket-Accept.
[[nodiscard]] std::string accept_of(std::string_view key);

}  // namespace celadon::ws
