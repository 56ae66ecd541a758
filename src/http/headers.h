// Names of header fields that someone in here cares about. What they may hold and mean
// is in field_rules.h.
#pragma once

#include <cstdint>
#include <string_view>

#include "http/chars.h"

// Known names: those with a meaning for framing or policy first, then those that are
// only frequent enough to deserve a ready-made environ key.
#define CELADON_HEADERS(X)                                \
  X(Host, "host")                                         \
  X(ContentLength, "content-length")                      \
  X(TransferEncoding, "transfer-encoding")                \
  X(ContentType, "content-type")                          \
  X(Authorization, "authorization")                       \
  X(Connection, "connection")                             \
  X(Expect, "expect")                                     \
  X(Upgrade, "upgrade")                                   \
  X(Te, "te")                                             \
  X(Trailer, "trailer")                                   \
  X(KeepAlive, "keep-alive")                              \
  X(Proxy, "proxy")                                       \
  X(ProxyAuthenticate, "proxy-authenticate")              \
  X(ProxyAuthorization, "proxy-authorization")            \
  X(ProxyConnection, "proxy-connection")                  \
  X(Cookie, "cookie")                                     \
  X(Date, "date")                                         \
  X(Server, "server")                                     \
  X(Forwarded, "forwarded")                               \
  X(XForwardedFor, "x-forwarded-for")                     \
  X(XForwardedProto, "x-forwarded-proto")                 \
  X(XForwardedProtocol, "x-forwarded-protocol")           \
  X(XForwardedSsl, "x-forwarded-ssl")                     \
  X(XForwardedHost, "x-forwarded-host")                   \
  X(XForwardedPort, "x-forwarded-port")                   \
  X(XForwardedPrefix, "x-forwarded-prefix")               \
  X(XRealIp, "x-real-ip")                                 \
  X(Accept, "accept")                                     \
  X(AcceptEncoding, "accept-encoding")                    \
  X(AcceptLanguage, "accept-language")                    \
  X(CacheControl, "cache-control")                        \
  X(Dnt, "dnt")                                           \
  X(IfMatch, "if-match")                                  \
  X(IfModifiedSince, "if-modified-since")                 \
  X(IfNoneMatch, "if-none-match")                         \
  X(IfRange, "if-range")                                  \
  X(IfUnmodifiedSince, "if-unmodified-since")             \
  X(Origin, "origin")                                     \
  X(Pragma, "pragma")                                     \
  X(Priority, "priority")                                 \
  X(Range, "range")                                       \
  X(Referer, "referer")                                   \
  X(SecFetchDest, "sec-fetch-dest")                       \
  X(SecFetchMode, "sec-fetch-mode")                       \
  X(SecFetchSite, "sec-fetch-site")                       \
  X(SecFetchUser, "sec-fetch-user")                       \
  X(Traceparent, "traceparent")                           \
  X(Tracestate, "tracestate")                             \
  X(UpgradeInsecureRequests, "upgrade-insecure-requests") \
  X(UserAgent, "user-agent")                              \
  X(Via, "via")                                           \
  X(XCsrftoken, "x-csrftoken")                            \
  X(XRequestId, "x-request-id")                           \
  X(XRequestStart, "x-request-start")                     \
  X(XRequestedWith, "x-requested-with")

namespace celadon::http {

enum class HeaderId : std::uint8_t {
#define CELADON_HEADER_ID(id, name) id,
  CELADON_HEADERS(CELADON_HEADER_ID)
#undef CELADON_HEADER_ID
      Count,
  Underscored = Count,  // a name with '_': could collide with another one in an environ
  Other,
};
inline constexpr std::size_t kKnownHeaders = static_cast<std::size_t>(HeaderId::Count);

[[nodiscard]] HeaderId header_id(std::string_view name) noexcept;
// Lower-case name of a known header.
[[nodiscard]] std::string_view header_name(HeaderId id) noexcept;

// A field value without control bytes (HTAB aside).
[[nodiscard]] inline bool is_field_value(std::string_view value) noexcept {
  const char* end = value.data() + value.size();
  return find_control(value.data(), end) == end;
}

// Calls `each` with every trimmed element of a comma-separated list, empty ones too.
template <class Each>
void for_each_element(std::string_view list, Each each) {
  while (true) {
    const auto comma = list.find(',');
    each(trim_ows(list.substr(0, comma)));
    if (comma == std::string_view::npos) return;
    list.remove_prefix(comma + 1);
  }
}

}  // namespace celadon::http
