// The client's side of a WebSocket: composes what its plan has it say, frame by frame,
// and answers what it hears. What it has said is kept for who judges what came of it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "sim/choices.h"
#include "sim/frames.h"
#include "sim/scenario.h"

namespace celadon::sim {

// Something that the server has to notice.
struct Said {
  enum class Kind : std::uint8_t { Message, Ping, Close, Wrong };
  Kind kind;
  std::uint64_t begin = 0;  // where in the tunnel its last frame begins
  std::uint64_t end = 0;
  bool is_text = false;
  std::uint64_t size = 0;  // of a message
  int code = 0;            // Close: 0: none; Wrong: what it is to be failed with
  std::string payload{};   // of a ping or a close frame
};

class Talk {
 public:
  // `content`: that of its request. The tunnel begins at `base` of what the client
  // sends; no message may have more than `limit` bytes.
  Talk(const Request& plan, std::uint64_t content, std::uint64_t base,
       std::uint64_t limit);

  // Appends its next frame to `out`, if it has one now. Null: it has heard nothing yet.
  void speak(std::string& out, const FrameReader* heard, Nanos now);
  // It will say more, with time or once it has heard more.
  [[nodiscard]] bool goes_on() const noexcept {
    return !stopped_ && at_ < plan_.says.size();
  }
  [[nodiscard]] bool waits_to_hear() const noexcept {
    return goes_on() && plan_.says[at_].say() == Say::Hear;
  }
  // It has something to say then; kNever: nothing by itself.
  [[nodiscard]] Nanos wakes_at() const noexcept { return until_; }
  [[nodiscard]] bool has_closed() const noexcept { return has_closed_; }
  // A text goes on.
  [[nodiscard]] bool is_under_way() const noexcept { return is_under_way_; }
  // In the order in which they end.
  [[nodiscard]] const std::vector<Said>& said() const noexcept { return said_; }

 private:
  bool answer(std::string& out, const FrameReader& heard);
  bool pass(const Op& op, const FrameReader* heard, Nanos now);
  void compose(std::string& out, const Op& op);
  void say_message(std::string& out, bool is_text, std::size_t size);
  void begin_text(std::string& out, std::size_t size);
  void go_on(std::string& out, std::size_t size, bool last);
  void say_shreds(std::string& out, std::size_t count);
  void say_fragment(std::string& out, unsigned first, std::string_view plain);
  void say_control(std::string& out, unsigned opcode, std::string payload);
  void say_close(std::string& out, int code);
  void say_wrong(std::string& out, std::size_t which);
  void note(Said said, std::uint64_t begin, const std::string& out);
  [[nodiscard]] std::size_t size_of_rest(std::size_t first) const;
  [[nodiscard]] std::string next_message(bool is_text, std::size_t size) const;
  void append_frame(std::string& out, unsigned first, std::string_view payload);

  const Request& plan_;
  const std::uint64_t content_;
  const std::uint64_t base_;
  const std::uint64_t limit_;
  Choices masks_;
  std::size_t at_ = 0;  // in its plan
  Nanos until_ = kNever;
  bool deflates_ = false;
  bool stopped_ = false;  // it has answered the server's close frame
  bool has_closed_ = false;
  std::size_t pings_ = 0;     // that it has heard of
  std::size_t messages_ = 0;  // that are whole
  // A text that goes on.
  bool is_under_way_ = false;
  bool is_deflated_ = false;
  std::string message_;
  std::size_t sent_ = 0;
  std::vector<Said> said_;
};

// All of it, by what the server has to do with it.
struct Upward {
  explicit Upward(const Talk& talk);
  // How many messages end within the first `bytes`.
  [[nodiscard]] std::size_t messages_within(std::uint64_t bytes) const noexcept;
  [[nodiscard]] std::size_t pings_within(std::uint64_t bytes) const noexcept;

  // Ahead of what ends it.
  std::vector<const Said*> messages;
  std::vector<const Said*> pings;
  const Said* end = nullptr;  // the first close frame, or what is wrong; null: none
};

}  // namespace celadon::sim
