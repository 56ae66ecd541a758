// IMF-fixdate (RFC 9110 5.6.7) without locale or time zone.
#pragma once

#include <cstdint>
#include <string_view>

namespace celadon::http {

inline constexpr std::size_t kDateSize = 29;
// Writes kDateSize characters, no terminator: "Sun, 06 Nov 1994 08:49:37 GMT".
void format_date(std::int64_t unix_seconds, char* out) noexcept;

}  // namespace celadon::http
