// The last few texts that one process has written, for others to read: slow requests.
// Each place has a number that is odd while it is written.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace celadon::metrics {

struct TextPlace {
  std::atomic<std::uint64_t> version;
  double at;  // seconds since 1970
  std::uint32_t size;
  std::array<char, 1004> text;
};
static_assert(sizeof(TextPlace) == 1024);

class TextRing {
 public:
  static constexpr std::size_t kPlaces = 16;
  static constexpr std::size_t kBytes = kPlaces * sizeof(TextPlace);

  TextRing() noexcept = default;
  explicit TextRing(std::byte* memory) noexcept
      : places_(reinterpret_cast<TextPlace*>(memory)) {}

  void put(std::string_view text, double at) noexcept {
    if (!places_) return;
    TextPlace& place = places_[next_++ % kPlaces];
    text = text.substr(0, place.text.size());
    place.version.fetch_add(1, std::memory_order_acq_rel);
    put_relaxed(place.at, at);
    put_relaxed(place.size, static_cast<std::uint32_t>(text.size()));
    for (std::size_t i = 0; i < text.size(); ++i) put_relaxed(place.text[i], text[i]);
    place.version.fetch_add(1, std::memory_order_release);
  }

  struct Text {
    double at;
    std::string text;
  };
  void append_to(std::vector<Text>& out) const {
    for (std::size_t i = 0; i < kPlaces; ++i) {
      TextPlace& place = places_[i];
      const std::uint64_t before = place.version.load(std::memory_order_acquire);
      if (before == 0 || before % 2 == 1) continue;
      const std::size_t size =
          std::min<std::size_t>(get_relaxed(place.size), place.text.size());
      Text text{get_relaxed(place.at), std::string(size, '\0')};
      for (std::size_t c = 0; c < size; ++c) text.text[c] = get_relaxed(place.text[c]);
      // No read moves behind this one.
      if (place.version.fetch_add(0, std::memory_order_acq_rel) == before) {
        out.push_back(std::move(text));
      }
    }
  }

 private:
  // Written while others read; what they make of it is thrown away by the version.
  template <class T>
  static void put_relaxed(T& cell, T value) noexcept {
    std::atomic_ref(cell).store(value, std::memory_order_relaxed);
  }
  template <class T>
  static T get_relaxed(T& cell) noexcept {
    return std::atomic_ref(cell).load(std::memory_order_relaxed);
  }
  TextPlace* places_ = nullptr;
  std::size_t next_ = 0;
};

}  // namespace celadon::metrics
