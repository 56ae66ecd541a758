#include "gateway/proxied.h"

#include <algorithm>
#include <iterator>
#include <vector>

#include "http/chars.h"
#include "http/field_rules.h"
#include "http/forwarded.h"

namespace celadon::gateway {
namespace {

// Addresses of who passed it on, first to last. Each proxy may have added a line of its
// own: they are one list (S25).
std::vector<std::string_view> hops_of(const http::Request& r) {
  std::vector<std::string_view> hops;
  const auto add = [&](http::HeaderId id, auto parse) {
    for (const http::Field& field : r.fields) {
      if (field.id == id)
        std::ranges::copy(parse(r.value(field)), std::back_inserter(hops));
    }
  };
  add(http::HeaderId::XForwardedFor, http::parse_x_forwarded_for);
  if (hops.empty()) add(http::HeaderId::Forwarded, http::parse_forwarded_for);
  return hops;
}

// Some name the scheme of a WebSocket, which is https by another name (Traefik).
bool means_secure(std::string_view said, std::string_view expected) noexcept {
  return said == expected || (expected == "https" && said == "wss");
}

}  // namespace

Scheme scheme_of(const server::Exchange& x, const EnvironOptions& options) noexcept {
  if (x.carrier.tls) return Scheme::Https;
  if (!x.connection().trusted || options.secure_scheme_headers.empty())
    return Scheme::Http;
  const http::Request& r = x.request();
  bool secure = false;
  bool plain = false;
  for (const http::Field& field : r.fields) {
    if (field.id < http::HeaderId::Forwarded) continue;  // framing and the like
    for (const auto& [name, value] : options.secure_scheme_headers) {
      if (!http::equals_ignoring_case(r.name(field), name)) continue;
      (means_secure(r.value(field), value) ? secure : plain) = true;
    }
  }
  if (secure && plain) return Scheme::Contradiction;
  return secure ? Scheme::Https : Scheme::Http;
}

std::optional<net::Address> client_by_proxies(const server::Exchange& x,
                                              const EnvironOptions& options) noexcept {
  if (!options.proxy_headers || !x.connection().trusted) return {};
  const auto hops = hops_of(x.request());
  // From the right: the first one that is not itself a trusted proxy is the client.
  for (auto hop = hops.rbegin(); hop != hops.rend(); ++hop) {
    const auto address = net::Address::parse_ip(*hop);
    if (!address) return {};  // an unknown hop: what is left of it proves nothing
    if (options.forwarded_allow.contains(*address) && hop + 1 != hops.rend()) continue;
    return *address;
  }
  return {};
}

std::string_view root_path_of(const server::Exchange& x,
                              const EnvironOptions& options) noexcept {
  constexpr std::string_view kName = "SCRIPT_NAME";
  std::string_view root = options.root_path;
  const auto& allowed = options.forwarder_headers;
  if (x.connection().trusted && std::ranges::find(allowed, kName) != allowed.end()) {
    const http::Request& r = x.request();
    for (const http::Field& field : r.fields) {
      if (field.id == http::HeaderId::Underscored &&
          http::equals_ignoring_case(r.name(field), kName))
        root = r.value(field);
    }
  }
  while (root.ends_with('/')) root.remove_suffix(1);
  return root;
}

bool hides(const server::Exchange& x, const http::Field& field,
           const EnvironOptions& options) noexcept {
  if (http::has_trait(field.id, http::Trait::Ambiguous)) return true;
  return options.clear_untrusted_proxy_headers && !x.connection().trusted &&
         http::has_trait(field.id, http::Trait::OfProxy);
}

}  // namespace celadon::gateway
