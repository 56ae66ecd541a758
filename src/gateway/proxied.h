// What trusted proxies say of a request: its scheme, and its client's address (EN10).
#pragma once

#include <cstdint>
#include <optional>

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
// Whether an application never sees that field.
[[nodiscard]] bool hides(const server::Exchange& x, const http::Field& field,
                         const EnvironOptions& options) noexcept;

}  // namespace celadon::gateway
