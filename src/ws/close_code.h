// Codes of close frames (RFC 6455 7.4, and the registry of IANA).
#pragma once

#include <cstdint>

namespace celadon::ws {

// Those that the server says or hears of itself; applications have theirs.
namespace close_code {
inline constexpr std::uint16_t kNormal = 1000;
inline constexpr std::uint16_t kGoingAway = 1001;  // the server ends
inline constexpr std::uint16_t kProtocolError = 1002;
inline constexpr std::uint16_t kNone = 1005;     // a close frame without a code
inline constexpr std::uint16_t kLost = 1006;     // no close frame at all
inline constexpr std::uint16_t kBadData = 1007;  // not what its type says
inline constexpr std::uint16_t kTooBig = 1009;
inline constexpr std::uint16_t kInternalError = 1011;
inline constexpr std::uint16_t kServiceRestart = 1012;  // another one takes over
}  // namespace close_code

// Whether a close frame may hold it: one that the registry has or leaves to libraries
// (3000) and applications (4000), and none that only stands for the lack of a frame.
[[nodiscard]] constexpr bool is_close_code(unsigned code) noexcept {
  if (code >= 3000) return code <= 4999;
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014);
}

}  // namespace celadon::ws
