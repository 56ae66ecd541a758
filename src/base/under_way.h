// Requests that the application has, in shared memory: who asks why a process died
// learns what it was at. As many as there is room for.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/short_text.h"

namespace celadon {

// All zeros: there is none. One process writes it, others look at it once that is gone.
class UnderWay {
 public:
  static constexpr int kRoom = 16;
  static constexpr std::int8_t kNone = -1;

  // Its place; kNone: there is no room.
  [[nodiscard]] std::int8_t note(std::string_view method,
                                 std::string_view target) noexcept {
    const std::uint32_t taken = taken_.load(std::memory_order_relaxed);
    const int at = std::countr_one(taken);
    if (at >= kRoom) return kNone;
    // Its query may be a secret.
    target = target.substr(0, kLine);
    target = target.substr(0, target.find('?'));
    lines_[static_cast<std::size_t>(at)].set({method, " ", target});
    // Last: a line that is half written is none.
    taken_.store(taken | (1U << at), std::memory_order_release);
    return static_cast<std::int8_t>(at);
  }
  void forget(std::int8_t at) noexcept {
    const std::uint32_t taken = taken_.load(std::memory_order_relaxed);
    taken_.store(taken & ~(1U << at), std::memory_order_release);
  }
  void clear() noexcept { taken_.store(0, std::memory_order_release); }

  [[nodiscard]] std::vector<std::string> lines() const {
    std::vector<std::string> found;
    const std::uint32_t taken = taken_.load(std::memory_order_acquire);
    for (std::size_t at = 0; at < kRoom; ++at) {
      if ((taken >> at & 1U) != 0) found.push_back(lines_[at].get());
    }
    return found;
  }

 private:
  static constexpr std::size_t kLine = 128;

  std::atomic<std::uint32_t> taken_;  // a bit for each line
  std::array<ShortText<kLine>, kRoom> lines_;
};

}  // namespace celadon
