// Every limit on what one WebSocket may hold or cost, with the name of its setting.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "base/clock.h"

namespace celadon::ws {

struct DeflateOptions {
  bool enabled = false;  // websocket_compression
  // What one message leaves behind helps the next one, and costs each connection that
  // sends or gets one its own compressor (256 KiB) or window (40 KiB).
  bool keeps_sent = false;        // else the answer says server_no_context_takeover
  bool keeps_got = false;         // else client_no_context_takeover
  std::uint8_t sent_window = 15;  // bits, 9 to 15
  std::uint8_t got_window = 15;   // likewise, where the client lets us say so
  std::uint8_t level = 3;         // zlib's, 1 to 9
  std::size_t smallest = 128;     // bytes; a shorter message is sent as it is
};

struct Options {
  // websocket_max_message_size: bytes of a message, inflated; any number.
  std::uint64_t message = 16 << 20;
  Nanos ping_interval = 20 * kSecond;  // websocket_ping_interval; kNever: none is sent
  Nanos ping_timeout = 20 * kSecond;   // websocket_ping_timeout; kNever: waits for ever
  // websocket_close_timeout: for the peer's answer to our close frame; kNever: for
  // ever.
  Nanos close_timeout = 5 * kSecond;
  DeflateOptions deflate;

  // Fragments of one message (CVE-2026-48779): each costs more than its bytes.
  [[nodiscard]] constexpr std::uint64_t fragments() const noexcept {
    return std::max<std::uint64_t>(1024, message / 256);
  }
  // Bytes of a compressed message as they come. Data that does not deflate grows; what
  // grows by more than a quarter is not meant to be read.
  [[nodiscard]] constexpr std::uint64_t compressed() const noexcept {
    const std::uint64_t more = message / 4 + 1024;
    return message + std::min(more, UINT64_MAX - message);
  }
};

}  // namespace celadon::ws
