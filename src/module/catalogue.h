// The server's own metrics: which cell of a slot is called what.
#pragma once

#include "metrics/rows.h"

namespace celadon::module {

[[nodiscard]] metrics::Catalogue make_catalogue();

// The histogram of requests, whose series have labels.
inline constexpr std::string_view kRequestDuration =
    "http_server_request_duration_seconds";
[[nodiscard]] std::string declare_request_duration();

}  // namespace celadon::module
