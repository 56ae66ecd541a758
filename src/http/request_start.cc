#include "http/request_start.h"

#include <charconv>

#include "http/chars.h"

namespace celadon::http {
namespace {

constexpr std::size_t kMostDigits = 17;  // microseconds, for 3000 years
constexpr double kMilliseconds = 1e11;   // from here on it cannot be seconds
constexpr double kMicroseconds = 1e14;
constexpr double kMostPatience = 1e6;  // seconds

// Digits and one point: no sign, no exponent, no infinity.
std::optional<double> parse_number(std::string_view value) noexcept {
  std::size_t digits = 0;
  std::size_t points = 0;
  for (const char c : value) {
    if (c == '.') {
      ++points;
    } else if (is_digit(c)) {
      ++digits;
    } else {
      return std::nullopt;
    }
  }
  if (digits == 0 || digits > kMostDigits || points > 1) return std::nullopt;
  double number = 0;
  const char* end = value.data() + value.size();
  if (std::from_chars(value.data(), end, number).ptr != end) return std::nullopt;
  return number;
}

}  // namespace

std::optional<Nanos> parse_request_start(std::string_view value) noexcept {
  if (value.starts_with("t=")) value.remove_prefix(2);
  const auto number = parse_number(value);
  if (!number) return std::nullopt;
  const double unit = *number >= kMicroseconds   ? 1e3
                      : *number >= kMilliseconds ? 1e6
                                                 : 1e9;
  constexpr double kLast = 9.2e18;  // nanoseconds that a Nanos holds
  if (*number > kLast / unit) return std::nullopt;
  return static_cast<Nanos>(*number * unit);
}

std::optional<Nanos> parse_patience(std::string_view name,
                                    std::string_view value) noexcept {
  const auto number = parse_number(value);
  if (!number) return std::nullopt;
  const bool is_in_ms =
      name.size() >= 3 && equals_ignoring_case(name.substr(name.size() - 3), "-ms");
  const double seconds = is_in_ms ? *number / 1e3 : *number;
  if (seconds <= 0 || seconds > kMostPatience) return std::nullopt;
  return static_cast<Nanos>(seconds * 1e9);
}

}  // namespace celadon::http
