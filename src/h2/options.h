// Every limit on what one HTTP/2 connection may hold or cost. Those of Options have a
// setting; Bounds are fixed, each named after the row of attacks that it ends.
#pragma once

#include <cstddef>
#include <cstdint>

namespace celadon::h2 {

struct Bounds {
  // H220: RST_STREAM frames of the peer, a bucket of tokens.
  std::uint32_t resets_burst = 100;
  std::uint32_t resets_per_second = 20;
  // H220: streams that the peer resets before their answer has begun, above this many
  // and above so many for each one that was answered.
  std::uint64_t cancels_allowed = 200;
  std::uint64_t cancels_per_answer = 4;
  // H221: streams that we reset because of what the peer sent.
  std::uint32_t own_resets = 64;
  // H222: CONTINUATION frames of one block.
  std::uint32_t continuations = 8;
  // H223: bytes of a block that was refused, decoded (with 32 for each field); it is
  // still decoded, so that the table stays right (H214).
  std::size_t decoded = 1 << 20;
  // H224: bytes of request heads, of one connection and of all of a worker.
  std::size_t connection_heads = 4 << 20;
  std::size_t worker_heads = 48 << 20;
  // H225: frames that wait to be sent, DATA aside; entries of one SETTINGS frame.
  std::size_t control_queue = 1000;
  std::uint32_t settings_entries = 32;
  // H226: frames without a payload in a row, but those that end a stream.
  std::uint32_t empty_frames = 16;
  // H226: WINDOW_UPDATE frames: at first, and for each HEADERS or DATA frame of ours or
  // stream of the peer's; what is saved up is bounded too.
  std::uint32_t updates_first = 100;
  std::uint32_t updates_each = 10;
  std::uint32_t updates_saved = 10'000;
  // H226: PRIORITY and PRIORITY_UPDATE frames: at first, and for each stream.
  std::uint32_t priorities_first = 100;
  std::uint32_t priorities_each = 100;
  std::uint32_t priorities_saved = 10'000;
  // H228: all bytes that came, divided by this, may be so many more than the payload.
  std::uint64_t overhead_divisor = 8;
  std::uint64_t overhead_allowed = 1 << 20;
};

struct Options {
  std::uint32_t max_streams = 100;            // http2_max_concurrent_streams
  std::uint32_t initial_window = 65'535;      // http2_initial_window_size
  std::uint32_t connection_window = 1 << 20;  // http2_connection_window_size
  std::uint32_t max_frame = 16'384;           // http2_max_frame_size
  std::uint32_t header_list = 65'536;         // http2_max_header_list_size
  std::size_t response_buffer = 256 * 1024;   // of each stream
  bool connect_protocol = false;              // RFC 8441
  Bounds bounds;
};

}  // namespace celadon::h2
