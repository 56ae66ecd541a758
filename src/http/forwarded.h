// The client's address as proxies report it: X-Forwarded-For and Forwarded (RFC 7239).
// Who may be believed is the caller's to say.
#pragma once

#include <string_view>
#include <vector>

namespace celadon::http {

// The addresses of an X-Forwarded-For list, first to last: IP text without brackets and
// port, or empty where an element is none.
[[nodiscard]] std::vector<std::string_view> parse_x_forwarded_for(
    std::string_view value);

// The same from the `for` parameters of a Forwarded list. Quotes are removed;
// obfuscated identifiers and "unknown" give an empty element.
[[nodiscard]] std::vector<std::string_view> parse_forwarded_for(std::string_view value);

}  // namespace celadon::http
