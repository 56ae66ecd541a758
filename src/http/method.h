// The methods that statistics tell apart; a client may send any other word.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace celadon::http {

enum class Method : std::uint8_t {
  Get,
  Head,
  Post,
  Put,
  Patch,
  Delete,
  Options,
  Other,
};
// As OpenTelemetry names them.
inline constexpr std::array<std::string_view, 8> kMethodNames{
    "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "_OTHER"};
inline constexpr std::size_t kMethods = kMethodNames.size();

[[nodiscard]] constexpr Method parse_method(std::string_view text) noexcept {
  if (text == "GET") return Method::Get;
  for (std::size_t i = 1; i + 1 < kMethods; ++i) {
    if (text == kMethodNames[i]) return static_cast<Method>(i);
  }
  return Method::Other;
}

}  // namespace celadon::http
