// The traceparent field of W3C Trace Context.
#pragma once

#include <optional>
#include <string_view>

namespace celadon::http {

struct TraceContext {
  std::string_view trace_id;   // 32 lower-case hex digits
  std::string_view parent_id;  // 16
  std::string_view flags;      // 2
};

// Nothing where the value may not be used: malformed, all zeros, or version ff. Of a
// version above 00 the known part counts (Trace Context 3.2.4).
[[nodiscard]] std::optional<TraceContext> parse_traceparent(
    std::string_view value) noexcept;

}  // namespace celadon::http
