// Makes a request of decoded fields, or says why there is none (RFC 9113 8.2, 8.3).
// What fields may be is http::FieldRules' to say; what HTTP/2 adds is here:
// pseudo-headers, fields of a connection, case, the authority.
//
//   nghttp2 ─► take(name, value) ... ─► finish() ─► http::Request over bytes()
//
// A refused block is still decoded, to keep the table right (H214): of what follows
// only its size is taken. Blocks do not interleave, so a connection has one reader.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "h2/options.h"
#include "h2/priority.h"
#include "http/field_rules.h"

namespace celadon::h2 {

enum class Pseudo : std::uint8_t { Method, Scheme, Path, Authority, Protocol };
inline constexpr std::size_t kPseudos = 5;

class HeadReader {
 public:
  // Both outlive it.
  HeadReader(const Options& options, const http::Limits& limits) noexcept
      : options_(&options), limits_(&limits), rules_(limits) {}

  void reset() noexcept;
  // Memory that a large head needed goes back; between two of them.
  void trim() noexcept;
  void take(std::string_view name, std::string_view value) noexcept;
  // No field follows. `ended`: and no body.
  [[nodiscard]] http::Rejection finish(bool ended) noexcept;

  [[nodiscard]] http::Request& request() noexcept { return request_; }
  [[nodiscard]] std::string_view bytes() const noexcept { return bytes_; }
  [[nodiscard]] std::string_view pseudo(Pseudo which) const noexcept {
    return request_.text(pseudos_[static_cast<std::size_t>(which)]);
  }
  [[nodiscard]] const Priority& priority() const noexcept { return priority_; }
  // What the block comes to so far, with 32 for each field (RFC 9113 6.5.2).
  [[nodiscard]] std::size_t decoded() const noexcept { return decoded_; }
  // Memory that keeps it.
  [[nodiscard]] std::size_t weight() const noexcept {
    return bytes_.size() + request_.fields.size() * sizeof(http::Field);
  }

 private:
  [[nodiscard]] http::Rejection on_pseudo(std::string_view name,
                                          std::string_view value) noexcept;
  [[nodiscard]] http::Rejection on_field(std::string_view name,
                                         std::string_view value) noexcept;
  [[nodiscard]] http::Rejection add_field(http::HeaderId id, std::string_view name,
                                          std::string_view value) noexcept;
  [[nodiscard]] http::Rejection judge(bool ended) noexcept;
  [[nodiscard]] http::Rejection judge_pseudos() noexcept;
  [[nodiscard]] http::Rejection judge_connect() noexcept;
  [[nodiscard]] http::Rejection judge_method() const noexcept;
  [[nodiscard]] http::Rejection judge_path() noexcept;
  [[nodiscard]] http::Rejection judge_scheme() const noexcept;
  [[nodiscard]] http::Rejection settle_host() noexcept;
  [[nodiscard]] http::Rejection frame_body(bool ended) noexcept;
  void join_cookies();
  void begin_fields() noexcept;
  [[nodiscard]] bool has(Pseudo which) const noexcept {
    return (seen_ & 1U << static_cast<unsigned>(which)) != 0;
  }
  [[nodiscard]] http::Piece add(std::string_view text);

  const Options* options_;
  const http::Limits* limits_;
  http::FieldRules rules_;
  http::Request request_;
  std::string bytes_;  // that request_ points into
  std::array<http::Piece, kPseudos> pseudos_{};
  unsigned seen_ = 0;  // pseudo-headers; bits
  bool in_fields_ = false;
  Priority priority_;
  std::size_t decoded_ = 0;
  http::Rejection why_ = http::Rejection::None;
};

// A malformed request is a stream error (RFC 9113 8.1.1); another one that is refused
// is answered.
[[nodiscard]] bool is_malformed(http::Rejection why) noexcept;

// What no field of HTTP/2 may be, whatever block it is in (H201, H205). `id`: that of
// its name, which is not empty.
[[nodiscard]] http::Rejection judge_field(http::HeaderId id, std::string_view name,
                                          std::string_view value) noexcept;

}  // namespace celadon::h2
