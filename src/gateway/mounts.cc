#include "gateway/mounts.h"

#include <algorithm>
#include <string_view>

#include "gateway/proxied.h"
#include "http/target.h"

namespace celadon::gateway {
namespace {

std::string_view prefix_of(const Bridge& bridge) noexcept {
  return bridge.options().environ.mount;
}

}  // namespace

void Mounts::add(Bridge& bridge) noexcept {
  const auto behind = std::ranges::find_if(mounted_, [&](const Bridge* each) {
    return prefix_of(*each).size() < prefix_of(bridge).size();
  });
  mounted_.insert(behind, &bridge);
}

void Mounts::on_request(server::Exchange& exchange) noexcept {
  bridge_of(exchange).on_request(exchange);
}

void Mounts::on_cancel(server::Exchange& exchange) noexcept {
  bridge_of(exchange).on_cancel(exchange);
}

// `OPTIONS *` is below no prefix.
Bridge& Mounts::bridge_of(const server::Exchange& exchange) const noexcept {
  const std::string_view root = root_path_of(exchange, root_.options().environ);
  const std::string_view path = http::below(exchange.request().path_text(), root);
  const auto found = std::ranges::find_if(mounted_, [path](const Bridge* each) {
    return http::prefix_size(path, prefix_of(*each)).has_value();
  });
  return found == mounted_.end() ? root_ : **found;
}

}  // namespace celadon::gateway
