// Reads what a client sends (RFC 6455 5): bytes in, whole messages and control frames
// out, or the fault for which the conversation is failed. Everything is judged as soon
// as its last byte is there, and nothing is stored that is refused. So the result does
// not depend on how the bytes are cut, but for a peer that goes back behind the window
// it has agreed on: zlib sees that only across two calls.
//
//   First ─► Second ─┬─► Length ─┬─► Key ─► Payload ─► First ...
//                    └───────────┘        all of them ─► Faulty
//
// Memory: the message that is coming, which is at most twice as large as what came of
// it, a control frame, and an inflater while a compressed message is under way. Between
// two messages at most a KiB is kept.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "ws/deflation.h"
#include "ws/fault.h"
#include "ws/frame_writer.h"
#include "ws/mask.h"
#include "ws/opcode.h"
#include "ws/options.h"
#include "ws/utf8.h"

namespace celadon::ws {

class MessageParser {
 public:
  enum class Step : std::uint8_t { NeedMore, Message, Control, Faulty };

  // Without a `deflation` no message may be compressed.
  explicit MessageParser(const Options& options,
                         Deflation* deflation = nullptr) noexcept
      : options_(&options), deflation_(deflation) {}

  // Takes bytes from the front of `in`; call again until it needs more.
  Step next(std::string_view& in) noexcept;

  // What the last step was: Text or Binary; Close, Ping or Pong.
  [[nodiscard]] Opcode opcode() const noexcept { return given_; }
  // Likewise its payload, until the next call. A close frame's is well-formed.
  [[nodiscard]] std::string_view data() const noexcept {
    return is_control(given_) ? control_data() : std::string_view(message_);
  }
  // Of a message: it leaves with its memory.
  [[nodiscard]] std::string take_message() noexcept { return std::move(message_); }
  [[nodiscard]] Fault fault() const noexcept { return fault_; }
  // Gives back all memory; it is not asked for anything any more.
  void release() noexcept;

 private:
  enum class Part : std::uint8_t { First, Second, Length, Key, Payload, Faulty };

  bool take_head(std::string_view& in) noexcept;
  void judge_head() noexcept;
  void judge_first() noexcept;
  void judge_data_opcode(Opcode opcode, bool compressed) noexcept;
  void judge_second() noexcept;
  void judge_length() noexcept;
  void judge_size(std::uint64_t size) noexcept;
  void begin_payload() noexcept;

  bool take_payload(std::string_view& in) noexcept;
  bool take_control(std::string_view piece) noexcept;
  bool take_plain(std::string_view piece) noexcept;
  bool take_compressed(std::string_view piece) noexcept;
  bool inflate(std::string_view plain) noexcept;
  // Text is text, and what `old` bytes of the message have become is not too large.
  [[nodiscard]] bool judge_grown(std::size_t old) noexcept;
  [[nodiscard]] bool judge_close(bool whole) noexcept;

  Step end_frame() noexcept;
  Step end_message() noexcept;
  void drop_message() noexcept;
  bool fail(Fault fault) noexcept;
  void await(Part part, std::uint8_t head_size) noexcept {
    part_ = part;
    need_ = head_size;
  }
  [[nodiscard]] bool is_between_messages() const noexcept {
    return under_way_.opcode == Opcode::Continuation;
  }
  [[nodiscard]] std::string_view control_data() const noexcept {
    return {control_.data(), control_size_};
  }

  static constexpr std::size_t kLongestHead = 14;
  static constexpr std::size_t kKept = 1024;
  // A message under way, or none.
  struct Message {
    Opcode opcode = Opcode::Continuation;  // none
    bool compressed = false;
    std::uint64_t arrived = 0;  // bytes of its payloads, those announced included
    std::uint64_t fragments = 0;
    Utf8 text;
  };

  const Options* options_;
  Deflation* deflation_;
  Part part_ = Part::First;
  Fault fault_ = Fault::None;
  // The head of the current frame.
  std::uint8_t had_ = 0;   // bytes of it
  std::uint8_t need_ = 1;  // at which it can be judged further
  std::array<std::uint8_t, kLongestHead> head_{};
  Opcode opcode_ = Opcode::Continuation;
  MaskKey key_{};
  std::uint64_t left_ = 0;  // bytes of the payload that are to come
  std::uint64_t at_ = 0;    // and those that came

  Opcode given_ = Opcode::Continuation;
  Message under_way_;
  std::string message_;
  std::array<char, kMostControl> control_{};
  std::uint8_t control_size_ = 0;
};

}  // namespace celadon::ws
