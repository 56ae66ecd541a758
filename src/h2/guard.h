// What a peer may cost one connection: small machines, each for one kind of attack,
// with its bound in Bounds and its end in Fault. They see every frame before nghttp2
// does, and hear what came of it; none of them knows another.
//
//   machine       row   what it counts                                   Fault
//   ResetGuard    H220  RST_STREAM frames, by time                       RapidReset
//   CancelGuard   H220  unanswered streams that the peer reset           Cancels
//   OwnResetGuard H221  streams that we had to reset                     OwnResets
//   BlockGuard    H222  CONTINUATION frames of one header block          Continuations
//   QueueGuard    H225  frames that wait to be sent, entries of SETTINGS ControlQueue,
//                                                                        SettingsFlood
//   EmptyGuard    H226  frames without a payload in a row                EmptyFrames
//   UpdateGuard   H226  WINDOW_UPDATE for each frame of ours             WindowUpdates
//   PriorityGuard H226  PRIORITY, PRIORITY_UPDATE for each stream        Priorities
//   OverheadGuard H228  bytes beside the payload                         Overhead
//
// The decoded sizes of H223 are HeadReader's, the memory of H224 is MemoryBudget's.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/clock.h"
#include "base/machine.h"
#include "h2/allowance.h"
#include "h2/fault.h"
#include "h2/frame.h"
#include "h2/options.h"

namespace celadon::h2 {

class ResetGuard {
 public:
  explicit ResetGuard(const Bounds& b) noexcept
      : bucket_(b.resets_burst, b.resets_per_second) {}
  [[nodiscard]] Fault on_reset(Nanos now) noexcept {
    return bucket_.take(now) ? Fault::None : Fault::RapidReset;
  }

 private:
  TokenBucket bucket_;
};

class CancelGuard {
 public:
  explicit CancelGuard(const Bounds& b) noexcept : bounds_(&b) {}
  [[nodiscard]] Fault on_cancel() noexcept {
    const std::uint64_t most =
        bounds_->cancels_allowed + bounds_->cancels_per_answer * answers_;
    return ++cancels_ <= most ? Fault::None : Fault::Cancels;
  }
  void on_answer() noexcept { ++answers_; }

 private:
  const Bounds* bounds_;
  std::uint64_t cancels_ = 0;
  std::uint64_t answers_ = 0;
};

class OwnResetGuard {
 public:
  explicit OwnResetGuard(const Bounds& b) noexcept : left_(b.own_resets) {}
  // The last one of them is not sent any more.
  [[nodiscard]] Fault on_reset() noexcept {
    if (left_ > 0) --left_;
    return left_ > 0 ? Fault::None : Fault::OwnResets;
  }

 private:
  std::uint32_t left_;
};

// Between ──(HEADERS without its end)──► Inside ──(its end)──► Between
enum class Block : std::uint8_t { Between, Inside };

class BlockGuard {
 public:
  explicit BlockGuard(const Bounds& b) noexcept : most_(b.continuations) {}
  [[nodiscard]] Fault on_frame(const FrameHead& head) noexcept;
  [[nodiscard]] Block state() const noexcept { return state_; }

 private:
  std::uint32_t most_;
  std::uint32_t count_ = 0;
  Block state_ = Block::Between;
};

class QueueGuard {
 public:
  explicit QueueGuard(const Bounds& b) noexcept : bounds_(&b) {}
  [[nodiscard]] Fault on_settings(const FrameHead& head) const noexcept {
    return head.length / kSettingsEntry <= bounds_->settings_entries
               ? Fault::None
               : Fault::SettingsFlood;
  }
  [[nodiscard]] Fault on_queue(std::size_t frames) const noexcept {
    return frames <= bounds_->control_queue ? Fault::None : Fault::ControlQueue;
  }

 private:
  const Bounds* bounds_;
};

class EmptyGuard {
 public:
  explicit EmptyGuard(const Bounds& b) noexcept : most_(b.empty_frames) {}
  // Of those that may have a payload.
  [[nodiscard]] Fault on_frame(const FrameHead& head) noexcept;

 private:
  std::uint32_t most_;
  std::uint32_t in_a_row_ = 0;
};

class UpdateGuard {
 public:
  explicit UpdateGuard(const Bounds& b) noexcept
      : credit_(b.updates_first, b.updates_saved), each_(b.updates_each) {}
  [[nodiscard]] Fault on_update() noexcept {
    return credit_.take() ? Fault::None : Fault::WindowUpdates;
  }
  void on_cause() noexcept { credit_.earn(each_); }

 private:
  Credit credit_;
  std::uint32_t each_;
};

class PriorityGuard {
 public:
  explicit PriorityGuard(const Bounds& b) noexcept
      : credit_(b.priorities_first, b.priorities_saved), each_(b.priorities_each) {}
  [[nodiscard]] Fault on_priority() noexcept {
    return credit_.take() ? Fault::None : Fault::Priorities;
  }
  void on_stream() noexcept { credit_.earn(each_); }

 private:
  Credit credit_;
  std::uint32_t each_;
};

class OverheadGuard {
 public:
  explicit OverheadGuard(const Bounds& b) noexcept : bounds_(&b) {}
  [[nodiscard]] Fault on_frame(const FrameHead& head) noexcept;
  // Data of a request or of an answer.
  void on_data(std::size_t bytes) noexcept { payload_ += bytes; }
  [[nodiscard]] std::uint64_t total() const noexcept { return total_; }
  [[nodiscard]] std::uint64_t payload() const noexcept { return payload_; }

 private:
  const Bounds* bounds_;
  std::uint64_t total_ = 0;
  std::uint64_t payload_ = 0;
};

class Guard {
 public:
  // `bounds` outlives it.
  explicit Guard(const Bounds& bounds) noexcept;

  // A frame begins; nobody has looked into it.
  [[nodiscard]] Fault on_frame(const FrameHead& head, Nanos now) noexcept;
  // The rest of a header block is to come.
  [[nodiscard]] bool is_amid_block() const noexcept {
    return blocks_.state() == Block::Inside;
  }
  // So many frames wait to be sent.
  [[nodiscard]] Fault on_queue(std::size_t frames) const noexcept {
    return queue_.on_queue(frames);
  }
  [[nodiscard]] Fault on_own_reset() noexcept { return own_resets_.on_reset(); }
  // The peer has reset a stream before its answer began.
  [[nodiscard]] Fault on_cancel() noexcept { return cancels_.on_cancel(); }
  void on_stream() noexcept;
  // Data came.
  void on_data(std::size_t bytes) noexcept { overhead_.on_data(bytes); }
  // The head of an answer was sent, or a frame of its body.
  void on_answer() noexcept;
  void on_data_sent(std::size_t bytes) noexcept;

 private:
  ResetGuard resets_;
  CancelGuard cancels_;
  OwnResetGuard own_resets_;
  BlockGuard blocks_;
  QueueGuard queue_;
  EmptyGuard empty_;
  UpdateGuard updates_;
  PriorityGuard priorities_;
  OverheadGuard overhead_;
};

}  // namespace celadon::h2
