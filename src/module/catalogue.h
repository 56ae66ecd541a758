// The server's own metrics: which cell of a slot is called what.
#pragma once

#include "metrics/rows.h"

namespace celadon::module {

// `scheme`: of what is served.
[[nodiscard]] metrics::Catalogue make_catalogue(std::string_view scheme);

// The histogram of requests, whose series have labels.
inline constexpr std::string_view kRequestDuration =
    "http_server_request_duration_seconds";
// `bounds`: upper ones of its buckets.
[[nodiscard]] std::string declare_request_duration(
    std::span<const std::uint64_t> bounds);

}  // namespace celadon::module
