#include "gateway/describe.h"

namespace celadon::gateway {

std::string describe(const server::Exchange& exchange) {
  std::string text(exchange.method());
  text.append(" ").append(exchange.request().text(exchange.request().target));
  if (!exchange.route().empty()) text.append(" route=").append(exchange.route());
  return text;
}

}  // namespace celadon::gateway
