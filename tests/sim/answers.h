// What a client has received, read as RFC 9112 says and not as the server writes it:
// answers with their heads, framing and bodies.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sim/frames.h"

namespace celadon::sim {

struct Answer {
  enum class Framed : std::uint8_t { None, Length, Chunked, Close };
  int status = 0;
  int minor = 0;
  bool says_close = false;
  bool says_keep_alive = false;
  std::string id;  // X-Id: which request it is for
  // Of a WebSocket's.
  bool says_upgrade = false;
  std::string upgrade;
  std::string accept;
  std::string subprotocol;
  std::string extensions;
  std::string version;
  Framed framed = Framed::None;
  std::uint64_t length = 0;  // declared
  std::uint64_t body = 0;    // bytes that came
  std::vector<int> interims;
  bool head_done = false;
  bool done = false;          // all of it came; by Close: never by itself
  bool content_ok = true;     // of a body that the application made
  std::uint64_t content = 0;  // id of what the body must hold; 0: a page, any text
};

// Which of the requests that were sent the next answer is for.
struct Question {
  bool head_request = false;
  bool tunnel = false;   // 101 is an answer, and what follows it is its body
  bool hurries = false;  // that came ahead of the 101
  bool socket = false;   // it is one of frames
  std::uint64_t content = 0;
};

class AnswerReader {
 public:
  explicit AnswerReader(const std::vector<Question>& questions)
      : questions_(questions) {}

  void take(std::string_view bytes);
  // Empty, or what is wrong with the bytes.
  [[nodiscard]] const std::string& error() const noexcept { return error_; }
  [[nodiscard]] const std::vector<Answer>& answers() const noexcept { return answers_; }
  // How many are whole.
  [[nodiscard]] std::size_t whole() const noexcept { return whole_; }
  // What came ahead of the answer to that request, so far.
  [[nodiscard]] const std::vector<int>& interims(std::size_t request) const;
  // 100 came for that request.
  [[nodiscard]] bool told_to_go_on(std::size_t request) const;
  [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }
  // Of the WebSocket that was opened; null: none was.
  [[nodiscard]] const FrameReader* frames() const noexcept {
    return frames_ ? &*frames_ : nullptr;
  }

 private:
  enum class Part : std::uint8_t {
    Head,
    Body,
    ChunkSize,
    ChunkData,
    ChunkEnd,
    LastEnd,
    Rest
  };
  [[nodiscard]] bool is_of_what_came_ahead(const Answer& answer) const;
  void on_head(std::string_view head);
  static void on_field_of_socket(Answer& answer, const std::string& name,
                                 std::string_view value);
  std::size_t on_body(std::string_view bytes, std::uint64_t most);
  void on_chunk_size(std::string_view line);
  void finish();
  void fail(std::string why);
  // A line or head that is not complete yet is kept.
  bool collect(std::string_view& bytes, std::string_view end, std::string& into);

  const std::vector<Question>& questions_;
  std::vector<Answer> answers_;
  std::vector<int> interims_;
  std::optional<FrameReader> frames_;
  std::string kept_;
  std::string error_;
  Part part_ = Part::Head;
  std::uint64_t left_ = 0;
  std::size_t whole_ = 0;
  std::uint64_t bytes_ = 0;
};

}  // namespace celadon::sim
