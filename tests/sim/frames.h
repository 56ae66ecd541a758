// What a client hears on a WebSocket, read as RFC 6455 and 7692 say and not as the
// server writes it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace celadon::sim {

class FrameReader {
 public:
  struct Message {
    bool is_text;
    bool is_right;  // it holds what one of its number and size must hold
    std::uint64_t size;
  };

  // `content`: what its messages hold follows from that (ids.h). `extensions`: what the
  // answer to its handshake says.
  FrameReader(std::uint64_t content, std::string_view extensions);

  void take(std::string_view bytes);
  // Empty, or what is wrong with the bytes.
  [[nodiscard]] const std::string& error() const noexcept { return error_; }
  [[nodiscard]] bool is_deflated() const noexcept { return deflated_; }
  [[nodiscard]] const std::vector<Message>& messages() const noexcept {
    return messages_;
  }
  [[nodiscard]] const std::vector<std::string>& pings() const noexcept {
    return pings_;
  }
  [[nodiscard]] const std::vector<std::string>& pongs() const noexcept {
    return pongs_;
  }
  // The payload of its close frame, once it has come.
  [[nodiscard]] const std::optional<std::string>& close() const noexcept {
    return close_;
  }

 private:
  [[nodiscard]] std::size_t head_size() const noexcept;
  [[nodiscard]] unsigned head_byte(std::size_t at) const noexcept {
    return static_cast<unsigned char>(head_[at]);
  }
  void on_head();
  void judge_head(std::uint64_t size);
  void judge_data(unsigned opcode, bool deflated);
  void on_frame();
  void on_control(unsigned opcode);
  void on_message();
  [[nodiscard]] bool inflate(std::string& message);
  void fail(std::string why);

  const std::uint64_t content_;
  bool deflated_ = false;
  bool forgets_ = true;  // no message leans on the one before
  std::string head_;
  bool has_head_ = false;
  std::uint64_t left_ = 0;  // of the payload at hand
  std::string control_;
  // The message that is coming.
  bool is_under_way_ = false;
  bool is_text_ = false;
  bool is_compressed_ = false;
  std::string message_;
  std::string window_;  // what was inflated before
  std::vector<Message> messages_;
  std::vector<std::string> pings_;
  std::vector<std::string> pongs_;
  std::optional<std::string> close_;
  std::string error_;
};

}  // namespace celadon::sim
