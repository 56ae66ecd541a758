// What a proxy in front says of the time: when it took a request, how long it waits.
#pragma once

#include <optional>
#include <string_view>

#include "base/clock.h"

namespace celadon::http {

// Wall time. Proxies write seconds with a fraction, milliseconds or microseconds, with
// or without "t=" before it: told apart by their size. Nothing for anything else.
[[nodiscard]] std::optional<Nanos> parse_request_start(std::string_view value) noexcept;

// How long an answer is waited for: seconds with a fraction, or milliseconds (Envoy)
// where `name` ends in "-ms". Nothing for anything else, and for zero.
[[nodiscard]] std::optional<Nanos> parse_patience(std::string_view name,
                                                  std::string_view value) noexcept;

}  // namespace celadon::http
