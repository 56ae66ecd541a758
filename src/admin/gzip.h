// Answers in gzip, for those who take it (RFC 9110 section 12.5.3, RFC 1952).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace celadon::admin {

// Whether the field Accept-Encoding allows it.
[[nodiscard]] bool takes_gzip(std::string_view accept_encoding) noexcept;
// Nothing where celadon was built without zlib.
[[nodiscard]] std::optional<std::string> gzip(std::string_view text);

}  // namespace celadon::admin
