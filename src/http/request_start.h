// X-Request-Start: when a proxy in front took a request.
#pragma once

#include <optional>
#include <string_view>

#include "base/clock.h"

namespace celadon::http {

// Wall time. Proxies write seconds with a fraction, milliseconds or microseconds, with
// or without "t=" before it: told apart by their size. Nothing for anything else.
[[nodiscard]] std::optional<Nanos> parse_request_start(std::string_view value) noexcept;

}  // namespace celadon::http
