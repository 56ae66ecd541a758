#include "http/request_start.h"

#include <charconv>

#include "http/chars.h"

namespace celadon::http {
namespace {

constexpr std::size_t kMostDigits = 17;  // microseconds, for 3000 years
constexpr double kMilliseconds = 1e11;   // from here on it cannot be seconds
constexpr double kMicroseconds = 1e14;

}  // namespace

std::optional<Nanos> parse_request_start(std::string_view value) noexcept {
  if (value.starts_with("t=")) value.remove_prefix(2);
  // Digits and one point: no sign, no exponent, no infinity.
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
  const double unit = number >= kMicroseconds   ? 1e3
                      : number >= kMilliseconds ? 1e6
                                                : 1e9;
  return static_cast<Nanos>(number * unit);
}

}  // namespace celadon::http
