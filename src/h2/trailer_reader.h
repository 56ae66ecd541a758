// The fields behind a body (H207): what they may be is http::TrailerRules' to say. They
// are kept for who wants them, and never merged with those of the head.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "http/field_rules.h"
#include "http/response.h"

namespace celadon::h2 {

class TrailerReader {
 public:
  // `limits` outlive it.
  explicit TrailerReader(const http::Limits& limits) noexcept
      : limits_(&limits), rules_(limits) {}

  void reset() noexcept;
  void take(std::string_view name, std::string_view value) noexcept;
  // The first of them that may not be there.
  [[nodiscard]] http::Rejection why() const noexcept { return why_; }
  // Until the next reset.
  [[nodiscard]] std::vector<http::HeaderView> fields() const;
  // With 32 for each field.
  [[nodiscard]] std::size_t decoded() const noexcept { return decoded_; }

 private:
  struct Place {
    std::size_t at;
    std::size_t name_size;
    std::size_t value_size;
  };

  const http::Limits* limits_;
  http::TrailerRules rules_;
  std::string bytes_;
  std::vector<Place> places_;
  std::size_t decoded_ = 0;
  http::Rejection why_ = http::Rejection::None;
};

}  // namespace celadon::h2
