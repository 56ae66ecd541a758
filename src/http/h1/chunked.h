// Decoder of the chunked transfer coding (RFC 9112 7.1), strict, a byte at a time where
// the framing is and in bulk where the data is.
//
//   Size ─► Extension ─► SizeLf ─► Data ─► DataCr ─► DataLf ─► Size ...
//                          └─(0)─► Trailer ... ─► Done
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "http/field_rules.h"
#include "http/limits.h"
#include "http/rejection.h"

namespace celadon::http::h1 {

class ChunkedDecoder {
 public:
  enum class Step : std::uint8_t { NeedMore, Data, Done, Rejected };

  explicit ChunkedDecoder(const Limits& limits) noexcept
      : limits_(&limits), trailer_(limits) {}

  // Takes bytes from the front of `in`. Data: `data` is the next piece of the body, a
  // view into the input; call again. Done: what is left in `in` follows the body.
  Step next(std::string_view& in, std::string_view& data) noexcept;
  [[nodiscard]] Rejection rejection() const noexcept { return rejection_; }

 private:
  enum class State : std::uint8_t {
    Size,
    Extension,
    ExtensionName,
    ExtensionValue,
    ExtensionToken,
    Quoted,
    QuotedEscape,
    QuoteEnd,
    SizeLf,
    Data,
    DataCr,
    DataLf,
    Trailer,
    Done,
  };

  Step reject(Rejection why) noexcept;
  // Judges one byte of framing; false: rejected.
  bool on_byte(char c) noexcept;
  bool on_size(char c) noexcept;
  bool on_extension(char c) noexcept;
  bool on_size_lf(char c) noexcept;
  bool on_trailer(char c) noexcept;
  bool on_trailer_line() noexcept;
  [[nodiscard]] bool overhead_ok() const noexcept;

  const Limits* limits_;
  State state_ = State::Size;
  Rejection rejection_ = Rejection::None;
  std::uint8_t digits_ = 0;
  std::uint64_t left_ = 0;      // of the current chunk
  std::uint64_t body_ = 0;      // bytes decoded
  std::uint64_t overhead_ = 0;  // bytes of framing
  std::size_t extension_ = 0;   // bytes of the current extension
  TrailerRules trailer_;
  std::string line_;  // of the trailer
};

}  // namespace celadon::http::h1
