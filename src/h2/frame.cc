#include "h2/frame.h"

namespace celadon::h2 {
namespace {

std::uint32_t number(std::string_view bytes) noexcept {
  std::uint32_t value = 0;
  for (const char c : bytes) value = value << 8 | static_cast<std::uint8_t>(c);
  return value;
}

void append_number(std::string& out, std::uint32_t value, unsigned bytes) {
  for (unsigned i = bytes; i > 0; --i) {
    out.push_back(static_cast<char>(value >> (8 * (i - 1)) & 0xff));
  }
}

}  // namespace

StreamId parse_stream_id(std::string_view bytes) noexcept {
  constexpr std::uint32_t kReserved = 0x8000'0000;
  return static_cast<StreamId>(number(bytes.substr(0, 4)) & ~kReserved);
}

FrameHead parse_frame_head(std::string_view bytes) noexcept {
  return {.length = number(bytes.substr(0, 3)),
          .type = static_cast<FrameType>(bytes[3]),
          .flags = static_cast<std::uint8_t>(bytes[4]),
          .stream = parse_stream_id(bytes.substr(5))};
}

void append_goaway(std::string& out, StreamId last, ErrorCode code,
                   std::string_view text) {
  append_number(out, static_cast<std::uint32_t>(8 + text.size()), 3);
  out.push_back(static_cast<char>(FrameType::Goaway));
  out.push_back('\0');
  append_number(out, 0, 4);
  append_number(out, static_cast<std::uint32_t>(last), 4);
  append_number(out, static_cast<std::uint32_t>(code), 4);
  out.append(text);
}

}  // namespace celadon::h2
