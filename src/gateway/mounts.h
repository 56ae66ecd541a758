// Several applications of one server, each below a prefix of its own, and one that has
// the rest.
//
//   Exchange ─► Mounts ─► the Bridge with the longest prefix that its path is below
//                    └──► that of the root
//
// Prefixes are compared with the decoded path, and end on a border of segments. Where
// nothing is mounted the server knows its one bridge only.
#pragma once

#include <vector>

#include "gateway/bridge.h"
#include "server/exchange.h"

namespace celadon::gateway {

class Mounts final : public server::App {
 public:
  explicit Mounts(Bridge& root) noexcept : root_(root) {}
  // At the prefix that its options say; it outlives this.
  void add(Bridge& bridge) noexcept;

  void on_request(server::Exchange& exchange) noexcept override;
  void on_cancel(server::Exchange& exchange) noexcept override;

 private:
  [[nodiscard]] Bridge& bridge_of(const server::Exchange& exchange) const noexcept;

  Bridge& root_;
  std::vector<Bridge*> mounted_;  // those with longer prefixes first
};

}  // namespace celadon::gateway
