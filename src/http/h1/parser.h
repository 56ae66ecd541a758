// The strict HTTP/1 request head parser: bytes in, a Request or a Rejection out.
//
// It works line by line. find_control() both finds the CRLF and proves the line clean;
// each complete line is judged once and never looked at again. Limits are checked while
// a line is still coming in. The result does not depend on how the bytes are cut.
//
// Knows no descriptor, no clock, no body. What fields may be is FieldRules' to say.
#pragma once

#include <cstddef>
#include <string_view>

#include "http/field_rules.h"
#include "http/h1/known_blocks.h"
#include "http/limits.h"
#include "http/rejection.h"
#include "http/request.h"

namespace celadon::http::h1 {

// Splits one field line, without its CRLF. Without a colon it has no name.
struct FieldLine {
  std::string_view name;
  std::string_view value;
};
[[nodiscard]] inline FieldLine split_field_line(std::string_view line) noexcept {
  const auto colon = line.find(':');
  if (colon == std::string_view::npos) return {};
  return {line.substr(0, colon), trim_ows(line.substr(colon + 1))};
}

class HeadParser {
 public:
  enum class Step : std::uint8_t { NeedMore, Done, Rejected };

  explicit HeadParser(const Limits& limits) noexcept
      : limits_(&limits), rules_(limits) {}
  // One that knows header blocks again.
  HeadParser(const Limits& limits, KnownBlocks& known) noexcept
      : limits_(&limits), known_(&known), rules_(limits) {}

  // `bytes` starts where the head starts and has grown since the last call; it may have
  // moved. After Done, consumed() bytes belong to the head and request() points into
  // `bytes`.
  Step feed(std::string_view bytes) noexcept;

  [[nodiscard]] std::size_t consumed() const noexcept { return line_; }
  [[nodiscard]] Request& request() noexcept { return request_; }
  [[nodiscard]] Rejection rejection() const noexcept { return rejection_; }
  // Of a head that so many empty lines came before, which are forgotten.
  void reset(std::uint8_t empty_lines = 0) noexcept;
  // Likewise, for a head of the connection that has this hint.
  void reset(KnownBlocks::Hint& hint, std::uint8_t empty_lines = 0) noexcept {
    reset(empty_lines);
    hint_ = &hint;
  }
  // Where it needs more: `bytes` are empty lines alone.
  [[nodiscard]] bool is_between(std::string_view bytes) const noexcept {
    return part_ == Part::Start && line_ == bytes.size();
  }
  [[nodiscard]] std::uint8_t empty_lines() const noexcept { return empty_lines_; }

 private:
  enum class Part : std::uint8_t { Start, Fields };
  enum class Line : std::uint8_t { Complete, Partial, Bad };

  Line next_line(std::string_view bytes, std::string_view& line) noexcept;
  [[nodiscard]] std::size_t line_limit() const noexcept;
  Rejection on_request_line(std::string_view line) noexcept;
  Rejection on_version(std::string_view version) noexcept;
  Rejection on_target(std::string_view method, std::string_view target) noexcept;
  Rejection on_field(std::string_view line) noexcept;
  Step reject(Rejection why) noexcept;
  [[nodiscard]] bool recall_block(std::string_view bytes) noexcept;
  void remember_block(std::string_view bytes) noexcept;
  [[nodiscard]] Piece piece(std::string_view part) const noexcept;

  const Limits* limits_;
  KnownBlocks* known_ = nullptr;
  KnownBlocks::Hint* hint_ = nullptr;
  Request request_;
  FieldRules rules_;
  std::size_t line_ = 0;  // where the current line starts
  std::size_t scan_ = 0;  // up to where it is known to be clean
  const char* base_ = nullptr;
  std::uint8_t empty_lines_ = 0;
  Part part_ = Part::Start;
  Rejection rejection_ = Rejection::None;
};

}  // namespace celadon::http::h1
