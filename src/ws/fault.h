// Why a conversation was failed (RFC 6455 7.1.7), by its peer's fault or ours, and what
// the close frame says. The set is closed: faults are counted and logged by it.
#pragma once

#include <cstdint>
#include <string_view>

namespace celadon::ws {

enum class Fault : std::uint8_t {
  None,
  ReservedBits,      // WS03: RSV2, RSV3, or RSV1 where nothing gives it a meaning
  ReservedOpcode,    // WS03
  Unmasked,          // WS03
  LongControl,       // WS03: over 125 bytes
  CutControl,        // WS03: a control frame in fragments
  BadLength,         // WS03: not the shortest form, or the top bit set
  Interleaved,       // WS03: another message within a fragmented one
  NothingToGoOn,     // WS03: a continuation of no message
  BadClose,          // WS04: a payload of one byte, or a code that may not be sent
  BadText,           // WS04: not UTF-8
  BadReason,         // WS04: likewise, of a close frame
  BadDeflate,        // WS07: compressed data that is none
  MessageTooLarge,   // WS05
  TooManyFragments,  // WS05
  Silent,            // WS08: no byte for ping_interval and ping_timeout
  NoMemory,          // ours: none was left to inflate with
};

struct FaultInfo {
  std::uint16_t code;
  std::string_view text;  // for the close frame and the log; no byte of the peer's
};
[[nodiscard]] FaultInfo fault_info(Fault fault) noexcept;

}  // namespace celadon::ws
