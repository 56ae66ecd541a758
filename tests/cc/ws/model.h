// A client of the tests: frames as RFC 6455 5.2 draws them, made and read in the
// plainest way, so that both sides of the wire are not wrong alike.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/out_queue.h"
#include "drain.h"
#include "ws/conversation.h"
#include "ws/opcode.h"

namespace celadon::ws::model {

struct FrameOptions {
  bool fin = true;
  unsigned reserved = 0;  // RSV1 to RSV3 as in 0x40, 0x20, 0x10
  std::string_view key = "\x12\x34\xAB\xCD";
  bool masked = true;
};

inline std::string frame(unsigned opcode, std::string_view payload,
                         FrameOptions options = {}) {
  std::string out;
  out += static_cast<char>((options.fin ? 0x80U : 0U) | options.reserved | opcode);
  const unsigned mask = options.masked ? 0x80 : 0;
  const std::size_t size = payload.size();
  const int bytes = size < 126 ? 0 : size < 65536 ? 2 : 8;
  const auto small = static_cast<unsigned>(bytes == 0 ? size : bytes == 2 ? 126 : 127);
  out += static_cast<char>(mask | small);
  for (int i = bytes - 1; i >= 0; --i) out += static_cast<char>(size >> (8 * i));
  if (!options.masked) return out.append(payload);
  out += options.key;
  for (std::size_t i = 0; i < size; ++i)
    out += static_cast<char>(payload[i] ^ options.key[i % 4]);
  return out;
}
inline std::string frame(Opcode opcode, std::string_view payload,
                         FrameOptions options = {}) {
  return frame(static_cast<unsigned>(opcode), payload, options);
}
inline std::string close_payload(unsigned code, std::string_view reason = {}) {
  std::string out{static_cast<char>(code >> 8), static_cast<char>(code & 0xFF)};
  return out.append(reason);
}

struct Frame {
  bool fin;
  unsigned reserved;
  Opcode opcode;
  std::string payload;
  bool operator==(const Frame&) const = default;
};

// What a server has sent; frames that are not whole, masked or not of the shortest form
// make an empty list.
inline std::vector<Frame> read_frames(std::string_view bytes) {
  std::vector<Frame> out;
  const auto number = [&](std::size_t at, std::size_t count) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < count; ++i)
      value = value * 256 + static_cast<std::uint8_t>(bytes[at + i]);
    return value;
  };
  while (!bytes.empty()) {
    if (bytes.size() < 2) return {};
    const auto first = number(0, 1);
    std::uint64_t size = number(1, 1);
    std::size_t head = 2;
    if (size == 126 || size == 127) {
      const std::size_t wide = size == 126 ? 2 : 8;
      if (bytes.size() < 2 + wide) return {};
      size = number(2, wide);
      head += wide;
      if (size < (wide == 2 ? 126U : 65536U)) return {};
    } else if (size > 127) {
      return {};
    }
    if (bytes.size() - head < size) return {};
    out.push_back({(first & 0x80) != 0, static_cast<unsigned>(first & 0x70),
                   static_cast<Opcode>(first & 0x0F),
                   std::string(bytes.substr(head, size))});
    bytes.remove_prefix(head + size);
  }
  return out;
}

// An event as one line: `text:hello`, `closed:1000 bye`.
inline std::string line_of(const Event& event, const Ending& ending) {
  constexpr std::array<std::string_view, 5> kNames{"text", "binary", "ping", "pong",
                                                   "closed"};
  std::string out(kNames[static_cast<std::size_t>(event.kind)]);
  out += ':';
  if (event.kind != Event::Kind::Closed) return out.append(event.data);
  return out + std::to_string(ending.code) + ' ' + ending.reason;
}

using Lines = std::vector<std::string>;

// What a conversation says of bytes that come in pieces of `stride`.
inline Lines lines_of(Conversation& conversation, std::string_view bytes, OutQueue& out,
                      std::size_t stride) {
  Lines lines;
  for (std::size_t at = 0; at < bytes.size(); at += stride) {
    std::string_view in = bytes.substr(at, stride);
    while (const auto event = conversation.receive(in, 0, out))
      lines.push_back(line_of(*event, conversation.ending()));
  }
  return lines;
}

}  // namespace celadon::ws::model
