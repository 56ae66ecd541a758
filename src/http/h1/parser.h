// The strict HTTP/1 request head parser: bytes in, a Request or a Rejection out.
//
// It works line by line. find_control() both finds the CRLF and proves the line clean;
// each complete line is judged once and never looked at again. Limits are checked while
// a line is still coming in. The result does not depend on how the bytes are cut.
//
// Knows no descriptor, no clock, no body: framing is decided here, decoded elsewhere.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "http/limits.h"
#include "http/rejection.h"
#include "http/request.h"

namespace celadon::http::h1 {

// Splits one field line, without its CRLF, and checks name and value.
struct FieldLine {
  std::string_view name;
  std::string_view value;
  Rejection rejection = Rejection::None;
  HeaderId id = HeaderId::Other;
};
[[nodiscard]] FieldLine parse_field_line(std::string_view line) noexcept;

class HeadParser {
 public:
  enum class Step : std::uint8_t { NeedMore, Done, Rejected };

  explicit HeadParser(const Limits& limits) noexcept : limits_(&limits) {}

  // `bytes` starts where the head starts and has grown since the last call; it may have
  // moved. After Done, consumed() bytes belong to the head and request() points into
  // `bytes`.
  Step feed(std::string_view bytes) noexcept;

  [[nodiscard]] std::size_t consumed() const noexcept { return line_; }
  [[nodiscard]] Request& request() noexcept { return request_; }
  [[nodiscard]] Rejection rejection() const noexcept { return rejection_; }
  void reset() noexcept;

 private:
  enum class Part : std::uint8_t { Start, Fields };
  enum class Line : std::uint8_t { Complete, Partial, Bad };

  Line next_line(std::string_view bytes, std::string_view& line) noexcept;
  [[nodiscard]] std::size_t line_limit() const noexcept;
  Rejection on_request_line(std::string_view line) noexcept;
  Rejection on_version(std::string_view version) noexcept;
  Rejection on_target(std::string_view method, std::string_view target) noexcept;
  Rejection on_field(std::string_view line) noexcept;
  Rejection on_known_field(HeaderId id, std::string_view value) noexcept;
  Rejection finish() noexcept;
  Rejection check_framing() noexcept;
  Rejection on_transfer_encoding(std::string_view value) noexcept;
  Rejection on_host(std::string_view value) noexcept;
  Rejection on_content_length(std::string_view value) noexcept;
  Step reject(Rejection why) noexcept;
  [[nodiscard]] Piece piece(std::string_view part) const noexcept;

  const Limits* limits_;
  Request request_;
  std::string good_host_;  // the last one that was judged
  std::size_t line_ = 0;   // where the current line starts
  std::size_t scan_ = 0;   // up to where it is known to be clean
  std::size_t head_size_ = 0;
  std::size_t field_count_ = 0;
  const char* base_ = nullptr;
  unsigned empty_lines_ = 0;
  std::uint32_t seen_ = 0;  // bit set of single-valued ids met
  Part part_ = Part::Start;
  Rejection rejection_ = Rejection::None;
};

}  // namespace celadon::http::h1
