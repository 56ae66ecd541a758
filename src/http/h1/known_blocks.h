// Header blocks that came of late. A client sends the same one with each request, byte
// for byte: what was found in it the last time holds again, and one comparison of
// memory replaces the look at each field.
//
//   request line │ fields ... blank line     a block is all behind the request line
//
// Connections share the places; each has a hint, where its own last block lies. Only
// blocks of HTTP/1.1 are kept, of moderate size, and only those that were accepted.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "http/request.h"

namespace celadon::http::h1 {

class KnownBlocks {
 public:
  static constexpr std::size_t kPlaces = 32;
  static constexpr std::size_t kLongest = 1024;

  // Of one connection.
  struct Hint {
    std::uint8_t place = kLatest;
    std::uint8_t misses = 0;  // in a row
  };

  // If `bytes` begin with the block that is hinted at, `request` gets what it holds.
  // Returns its size; 0: they do not.
  [[nodiscard]] std::size_t recall(std::string_view bytes, Hint& hint,
                                   Request& request) noexcept;
  // Keeps a block that was parsed.
  void remember(std::string_view block, Request& request, Hint& hint) noexcept;
  [[nodiscard]] bool empty() const noexcept { return !places_; }
  // Lets go of those that did not come since the last call.
  void forget_unused() noexcept;
  // Lets go of all of them.
  void forget() noexcept { places_.reset(); }

 private:
  static constexpr std::uint8_t kLatest = 0xff;
  // A connection whose blocks always differ is not looked at any more.
  static constexpr std::uint8_t kPatience = 4;

  struct Place {
    std::string bytes;
    std::vector<Field> fields;
    BlockFacts facts;
  };
  using Places = std::array<Place, kPlaces>;

  std::unique_ptr<Places> places_;  // once there is something to keep
  std::uint32_t used_ = 0;          // which of them came of late; bits
  std::uint8_t latest_ = 0;
  std::uint64_t last_number_ = 0;
};

}  // namespace celadon::http::h1
