// Health at the public addresses: answered by the loop, ahead of all requests.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "admin/site.h"
#include "server/exchange.h"
#include "server/server.h"

namespace celadon::module {

class HealthFront final : public server::Front {
 public:
  // What is asked for at a path: live, ready or startup.
  using Paths = std::vector<std::pair<std::string, std::string>>;
  // Under a master: what the whole server says.
  HealthFront(Paths paths, server::Server& server, const metrics::Slab* slab,
              const std::atomic<Nanos>& fit_until, Nanos timeout) noexcept;

  bool take(server::Exchange& exchange) noexcept override;

 private:
  [[nodiscard]] bool verdict(std::string_view question) noexcept;

  const Paths paths_;
  server::Server& server_;
  const std::atomic<Nanos>& fit_until_;
  SystemClock clock_;
  std::optional<admin::Site> site_;
};

}  // namespace celadon::module
