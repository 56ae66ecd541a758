#include "ws/frame_writer.h"

#include "base/assert.h"

namespace celadon::ws {
namespace {

constexpr unsigned kFin = 0x80;
constexpr unsigned kRsv1 = 0x40;

}  // namespace

FrameHead::FrameHead(Opcode opcode, std::uint64_t size, Last last,
                     Compressed compressed) noexcept {
  ASSERT(!is_control(opcode) || (size <= kMostControl && last == Last::Yes),
         "a control frame is short and whole");
  unsigned first = static_cast<unsigned>(opcode);
  if (last == Last::Yes) first |= kFin;
  if (compressed == Compressed::Yes) first |= kRsv1;
  bytes_[0] = static_cast<char>(first);
  // The shortest form that holds it: none, two or eight bytes behind the second one.
  const int extra = size < 126 ? 0 : size <= 0xFFFF ? 2 : 8;
  bytes_[1] = static_cast<char>(extra == 0 ? size : extra == 2 ? 126 : 127);
  for (int i = extra; i > 0; --i)
    bytes_[size_++] = static_cast<char>(size >> 8 * (i - 1));
}

ClosePayload::ClosePayload(std::uint16_t code, std::string_view reason) noexcept {
  CHECK(reason.size() <= kLongestReason, "a reason that no close frame has room for");
  bytes_[0] = static_cast<char>(code >> 8);
  bytes_[1] = static_cast<char>(code & 0xFF);
  reason.copy(bytes_.data() + 2, reason.size());
  size_ = static_cast<std::uint8_t>(2 + reason.size());
}

}  // namespace celadon::ws
