#include "http/trace_context.h"

#include <algorithm>

namespace celadon::http {
namespace {

constexpr std::size_t kTraceAt = 3;
constexpr std::size_t kParentAt = kTraceAt + 33;
constexpr std::size_t kFlagsAt = kParentAt + 17;
constexpr std::size_t kSize = kFlagsAt + 2;

bool is_hex(std::string_view text) noexcept {
  return std::ranges::all_of(
      text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool is_zero(std::string_view text) noexcept {
  return text.find_first_not_of('0') == std::string_view::npos;
}

}  // namespace

std::optional<TraceContext> parse_traceparent(std::string_view value) noexcept {
  if (value.size() < kSize) return std::nullopt;
  const std::string_view version = value.substr(0, 2);
  const TraceContext context{.trace_id = value.substr(kTraceAt, 32),
                             .parent_id = value.substr(kParentAt, 16),
                             .flags = value.substr(kFlagsAt, 2)};
  const bool dashes = value[kTraceAt - 1] == '-' && value[kParentAt - 1] == '-' &&
                      value[kFlagsAt - 1] == '-';
  const bool hex = is_hex(version) && is_hex(context.trace_id) &&
                   is_hex(context.parent_id) && is_hex(context.flags);
  if (!dashes || !hex || version == "ff") return std::nullopt;
  if (is_zero(context.trace_id) || is_zero(context.parent_id)) return std::nullopt;
  const bool longer = value.size() > kSize;
  if (longer && (version == "00" || value[kSize] != '-')) return std::nullopt;
  return context;
}

}  // namespace celadon::http
