#include "h2/guard.h"

#include <algorithm>
#include <initializer_list>

namespace celadon::h2 {
namespace {

constexpr bool is_block(FrameType type) noexcept {
  return type == FrameType::Headers || type == FrameType::Continuation;
}

// No padding is payload; how much there is of it is not known yet.
std::uint64_t block_payload(const FrameHead& head) noexcept {
  constexpr std::uint32_t kMostPadding = 256;
  if (!head.has(flag::kPadded)) return head.length;
  return head.length - std::min(head.length, kMostPadding);
}

bool is_empty(const FrameHead& head) noexcept {
  // The length of its padding is not a payload either.
  return head.length == 0 || (head.length == 1 && head.has(flag::kPadded));
}

Fault first_of(std::initializer_list<Fault> faults) noexcept {
  for (const Fault fault : faults) {
    if (fault != Fault::None) return fault;
  }
  return Fault::None;
}

}  // namespace

Fault BlockGuard::on_frame(const FrameHead& head) noexcept {
  if (head.type == FrameType::Headers) count_ = 0;
  if (head.type == FrameType::Continuation && ++count_ > most_) {
    return Fault::Continuations;
  }
  state_ = head.has(flag::kEndHeaders) ? Block::Between : Block::Inside;
  return Fault::None;
}

Fault EmptyGuard::on_frame(const FrameHead& head) noexcept {
  const bool ends = head.type != FrameType::Continuation && head.has(flag::kEndStream);
  if (!is_empty(head) || ends) {
    in_a_row_ = 0;
    return Fault::None;
  }
  return ++in_a_row_ <= most_ ? Fault::None : Fault::EmptyFrames;
}

Fault OverheadGuard::on_frame(const FrameHead& head) noexcept {
  total_ += kFrameHead + head.length;
  if (is_block(head.type)) payload_ += block_payload(head);
  const std::uint64_t most = payload_ + bounds_->overhead_allowed;
  return total_ / bounds_->overhead_divisor <= most ? Fault::None : Fault::Overhead;
}

Guard::Guard(const Bounds& bounds) noexcept
    : resets_(bounds),
      cancels_(bounds),
      own_resets_(bounds),
      blocks_(bounds),
      queue_(bounds),
      empty_(bounds),
      updates_(bounds),
      priorities_(bounds),
      overhead_(bounds) {}

Fault Guard::on_frame(const FrameHead& head, Nanos now) noexcept {
  const Fault overhead = overhead_.on_frame(head);
  switch (head.type) {
    case FrameType::Data: return first_of({overhead, empty_.on_frame(head)});
    case FrameType::Headers:
    case FrameType::Continuation:
      return first_of({overhead, blocks_.on_frame(head), empty_.on_frame(head)});
    case FrameType::Priority:
    case FrameType::PriorityUpdate:
      return first_of({overhead, priorities_.on_priority()});
    case FrameType::RstStream: return first_of({overhead, resets_.on_reset(now)});
    case FrameType::Settings: return first_of({overhead, queue_.on_settings(head)});
    case FrameType::WindowUpdate: return first_of({overhead, updates_.on_update()});
    default: return overhead;
  }
}

void Guard::on_stream() noexcept {
  priorities_.on_stream();
  updates_.on_cause();
}

void Guard::on_answer() noexcept {
  cancels_.on_answer();
  updates_.on_cause();
}

void Guard::on_data_sent(std::size_t bytes) noexcept {
  overhead_.on_data(bytes);
  updates_.on_cause();
}

}  // namespace celadon::h2
