// A line of text in shared memory: one process writes it, others copy what is there.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <initializer_list>
#include <string>
#include <string_view>

namespace celadon {

template <std::size_t kSize>
class ShortText {
 public:
  // The parts in a row; what is longer is cut.
  void set(std::initializer_list<std::string_view> parts) noexcept {
    std::size_t size = 0;
    for (const std::string_view part : parts) {
      const std::string_view fits = part.substr(0, kSize - 1 - size);
      std::ranges::copy(fits, bytes_.begin() + static_cast<std::ptrdiff_t>(size));
      size += fits.size();
    }
    bytes_[size] = '\0';
  }
  [[nodiscard]] std::string get() const {
    // Whoever writes it may be at it.
    const auto* const end = std::find(bytes_.begin(), bytes_.end() - 1, '\0');
    return {bytes_.begin(), end};
  }

 private:
  std::array<char, kSize> bytes_;
};

}  // namespace celadon
