// Finds the frames in what a peer sends, so that each is judged before anybody decodes
// it, those that nobody decodes too. Bytes go through it unchanged:
//
//   preface ─► head ─► payload ─► head ─► payload ...
//
// The head of a frame comes out in one piece. So does a whole PRIORITY frame: the
// stream that it names is judged too, and nghttp2 does not look at it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "h2/frame.h"

namespace celadon::h2 {

class FrameScanner {
 public:
  struct Piece {
    std::string_view bytes;             // until the next call; empty: more is needed
    const FrameHead* begins = nullptr;  // the frame whose first bytes these are
  };

  // Takes a piece from the front of `in`, which is not empty.
  [[nodiscard]] Piece next(std::string_view& in) noexcept;
  // The rest of a frame is to come, or of the preface.
  [[nodiscard]] bool is_amid() const noexcept { return left_ > 0 || held_size_ > 0; }

 private:
  static constexpr std::size_t kMostHeld = kFrameHead + kPrioritySize;

  [[nodiscard]] Piece begin(std::string_view bytes) noexcept;
  [[nodiscard]] Piece gather(std::string_view& in) noexcept;

  std::uint64_t left_ = kPreface.size();  // of what goes through as it comes
  FrameHead head_;
  std::array<char, kMostHeld> held_{};
  std::size_t held_size_ = 0;
};

}  // namespace celadon::h2
