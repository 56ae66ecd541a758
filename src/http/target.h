// Request targets (RFC 9112 3.2) and the authority that Host and targets share.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "http/rejection.h"

namespace celadon::http {

struct Target {
  std::string_view path;       // still percent-encoded; "*" for the server as a whole
  std::string_view query;      // raw, without '?'
  std::string_view authority;  // of the absolute form, else empty
};

// Rejection::None where `out` is good. The form must fit the method. CONNECT's
// authority form is validated and then answered as a method that is not implemented.
[[nodiscard]] Rejection parse_target(std::string_view method, std::string_view target,
                                     Target& out) noexcept;

// host[:port] as in a Host field: letters, digits, "-._~", or a bracketed IPv6 literal.
[[nodiscard]] bool is_authority(std::string_view text) noexcept;

struct HostPort {
  std::string_view host;  // brackets kept
  std::string_view port;  // digits, or empty
};
[[nodiscard]] HostPort split_authority(std::string_view authority) noexcept;

// Percent-decodes exactly once, appending to `out`. The text was checked before.
void percent_decode(std::string_view text, std::string& out);

// How much of `path`, which is percent-encoded, is `prefix`, which is not; nothing
// where it is not below it. A prefix ends where a segment does, and an escape is never
// the slash between two of them: `/a%2Fb` is one segment (RFC 3986 2.2).
[[nodiscard]] std::optional<std::size_t> prefix_size(std::string_view path,
                                                     std::string_view prefix) noexcept;
// What of `path` follows the prefix; all of it where it is not below.
[[nodiscard]] std::string_view below(std::string_view path,
                                     std::string_view prefix) noexcept;

}  // namespace celadon::http
