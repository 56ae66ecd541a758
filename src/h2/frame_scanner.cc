#include "h2/frame_scanner.h"

#include <algorithm>
#include <utility>

namespace celadon::h2 {
namespace {

// How many bytes of a frame come out together.
std::size_t first_of(const FrameHead& head) noexcept {
  const bool is_priority =
      head.type == FrameType::Priority && head.length == kPrioritySize;
  return kFrameHead + (is_priority ? kPrioritySize : 0);
}

std::string_view take_front(std::string_view& in, std::size_t size) noexcept {
  const std::string_view front = in.substr(0, size);
  in.remove_prefix(front.size());
  return front;
}

}  // namespace

FrameScanner::Piece FrameScanner::next(std::string_view& in) noexcept {
  if (left_ > 0) {
    const auto size =
        static_cast<std::size_t>(std::min<std::uint64_t>(left_, in.size()));
    left_ -= size;
    return {take_front(in, size), nullptr};
  }
  if (held_size_ == 0 && in.size() >= kFrameHead) {
    head_ = parse_frame_head(in);
    if (in.size() >= first_of(head_)) {
      return begin(take_front(in, kFrameHead + head_.length));
    }
  }
  return gather(in);
}

FrameScanner::Piece FrameScanner::begin(std::string_view bytes) noexcept {
  left_ = kFrameHead + head_.length - bytes.size();
  return {bytes, &head_};
}

// A head that is cut.
FrameScanner::Piece FrameScanner::gather(std::string_view& in) noexcept {
  while (true) {
    const bool is_head = held_size_ >= kFrameHead;
    const std::size_t wanted = is_head ? first_of(head_) : kFrameHead;
    if (is_head && held_size_ == wanted) {
      return begin({held_.data(), std::exchange(held_size_, 0)});
    }
    if (in.empty()) return {};
    const auto part = take_front(in, wanted - held_size_);
    std::ranges::copy(part, held_.begin() + static_cast<std::ptrdiff_t>(held_size_));
    held_size_ += part.size();
    if (!is_head && held_size_ == kFrameHead) {
      head_ = parse_frame_head({held_.data(), kFrameHead});
    }
  }
}

}  // namespace celadon::h2
