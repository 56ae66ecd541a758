// Which body's bytes belong to which request.
#pragma once

#include <cstddef>
#include <cstdint>

namespace celadon::sim {

[[nodiscard]] constexpr std::uint64_t answer_content(std::size_t client,
                                                     std::size_t request) noexcept {
  return client * 1'009 + request * 7 + 1;
}
[[nodiscard]] constexpr std::uint64_t request_content(std::size_t client,
                                                      std::size_t request) noexcept {
  return client * 1'009 + request * 7 + 4;
}

// What the client sends in a tunnel.
[[nodiscard]] constexpr std::uint64_t tunnel_content(std::size_t client,
                                                     std::size_t request) noexcept {
  return client * 1'009 + request * 7 + 6;
}

// The nth message of one side of a WebSocket; `content` is that of its request or of
// the answer to it.
[[nodiscard]] constexpr std::uint64_t message_content(std::uint64_t content,
                                                      std::size_t n) noexcept {
  return content + (n + 1) * 104'729;
}

}  // namespace celadon::sim
