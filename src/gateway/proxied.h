// What trusted proxies say of a request: its scheme, its client's address (EN10), and
// where the paths of its application begin (EN05).
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "gateway/options.h"
#include "http/request.h"
#include "net/address.h"
#include "server/exchange.h"

namespace celadon::gateway {

enum class Scheme : std::uint8_t { Http, Https, Contradiction };

[[nodiscard]] Scheme scheme_of(const server::Exchange& x,
                               const EnvironOptions& options) noexcept;
// Nothing: they do not say, or nobody who may.
[[nodiscard]] std::optional<net::Address> client_by_proxies(
    const server::Exchange& x, const EnvironOptions& options) noexcept;
// The path above the applications, without a slash at its end: that of the settings, or
// what a trusted peer says in its place (SCRIPT_NAME).
[[nodiscard]] std::string_view root_path_of(const server::Exchange& x,
                                            const EnvironOptions& options) noexcept;
// Whether an application never sees that field.
[[nodiscard]] bool hides(const server::Exchange& x, const http::Field& field,
                         const EnvironOptions& options) noexcept;

}  // namespace celadon::gateway
