// Frames as they are on the wire (RFC 9113 4.1): their heads, and the one frame that is
// written by hand, since what it ends takes none any more.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace celadon::h2 {

using StreamId = std::int32_t;

// Values between and above these are of no meaning here.
enum class FrameType : std::uint8_t {
  Data = 0,
  Headers = 1,
  Priority = 2,
  RstStream = 3,
  Settings = 4,
  PushPromise = 5,
  Ping = 6,
  Goaway = 7,
  WindowUpdate = 8,
  Continuation = 9,
  PriorityUpdate = 16,  // RFC 9218 7.1
};

// RFC 9113 7. A peer may send any of 32 bits.
// NOLINTNEXTLINE(performance-enum-size)
enum class ErrorCode : std::uint32_t {
  NoError = 0,
  ProtocolError = 1,
  InternalError = 2,
  FlowControlError = 3,
  SettingsTimeout = 4,
  StreamClosed = 5,
  FrameSizeError = 6,
  RefusedStream = 7,
  Cancel = 8,
  CompressionError = 9,
  ConnectError = 10,
  EnhanceYourCalm = 11,
  InadequateSecurity = 12,
  Http11Required = 13,
};

namespace flag {
inline constexpr std::uint8_t kEndStream = 0x01;
inline constexpr std::uint8_t kAck = 0x01;
inline constexpr std::uint8_t kEndHeaders = 0x04;
inline constexpr std::uint8_t kPadded = 0x08;
inline constexpr std::uint8_t kPriority = 0x20;
}  // namespace flag

inline constexpr std::size_t kFrameHead = 9;
inline constexpr std::size_t kPrioritySize = 5;
inline constexpr std::size_t kSettingsEntry = 6;
inline constexpr std::size_t kMostData = 16'384;  // of a DATA frame that we write
inline constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

struct FrameHead {
  std::uint32_t length = 0;  // of the payload
  FrameType type = FrameType::Data;
  std::uint8_t flags = 0;
  StreamId stream = 0;

  [[nodiscard]] bool has(std::uint8_t bits) const noexcept {
    return (flags & bits) != 0;
  }
};

// Of kFrameHead bytes.
[[nodiscard]] FrameHead parse_frame_head(std::string_view bytes) noexcept;
// The stream that a PRIORITY frame names as its parent, of its first four bytes.
[[nodiscard]] StreamId parse_stream_id(std::string_view bytes) noexcept;

void append_goaway(std::string& out, StreamId last, ErrorCode code,
                   std::string_view text);

}  // namespace celadon::h2
