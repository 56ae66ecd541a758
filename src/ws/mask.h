// The mask over what clients send (RFC 6455 5.3).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace celadon::ws {

using MaskKey = std::array<std::uint8_t, 4>;

// Puts `from` into `to`, which has room for it, without the mask. `at` is the place of
// its first byte in the payload. Both may be the same bytes.
void unmask(std::span<const char> from, char* to, MaskKey key,
            std::uint64_t at) noexcept;

}  // namespace celadon::ws
