// Heads of the frames that a server sends. Their payloads follow as they are: a server
// masks nothing (RFC 6455 5.1).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "ws/opcode.h"

namespace celadon::ws {

inline constexpr std::size_t kMostControl = 125;    // bytes of a control frame
inline constexpr std::size_t kLongestReason = 123;  // behind the code of a close frame

class FrameHead {
 public:
  enum class Last : bool { No, Yes };
  enum class Compressed : bool { No, Yes };  // said by the first fragment alone

  FrameHead(Opcode opcode, std::uint64_t size, Last last = Last::Yes,
            Compressed compressed = Compressed::No) noexcept;
  [[nodiscard]] std::string_view bytes() const noexcept {
    return {bytes_.data(), size_};
  }

 private:
  static constexpr std::size_t kLongest = 10;
  std::array<char, kLongest> bytes_{};
  std::uint8_t size_ = 2;
};

// The payload of a close frame that we begin with. The reason has its length.
class ClosePayload {
 public:
  ClosePayload(std::uint16_t code, std::string_view reason) noexcept;
  [[nodiscard]] std::string_view bytes() const noexcept {
    return {bytes_.data(), size_};
  }

 private:
  std::array<char, kMostControl> bytes_{};
  std::uint8_t size_ = 0;
};

}  // namespace celadon::ws
