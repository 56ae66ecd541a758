// How long a request's body is, and may be (H206). The end of its stream delimits it; a
// length that was announced has to be that of its DATA.
#pragma once

#include <cstdint>
#include <optional>

#include "http/rejection.h"

namespace celadon::h2 {

class BodyLength {
 public:
  BodyLength() noexcept = default;
  // `most`: of any body.
  BodyLength(std::optional<std::uint64_t> announced, std::uint64_t most) noexcept
      : announced_(announced), most_(most) {}

  [[nodiscard]] http::Rejection take(std::uint64_t bytes) noexcept {
    got_ += bytes;
    if (announced_ && got_ > *announced_) return http::Rejection::BadContentLength;
    return got_ > most_ ? http::Rejection::BodyTooLarge : http::Rejection::None;
  }
  [[nodiscard]] http::Rejection end() const noexcept {
    return announced_ && got_ != *announced_ ? http::Rejection::BadContentLength
                                             : http::Rejection::None;
  }

 private:
  std::optional<std::uint64_t> announced_;
  std::uint64_t most_ = 0;
  std::uint64_t got_ = 0;
};

}  // namespace celadon::h2
