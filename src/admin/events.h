// Snapshots as they come, one a second (server-sent events). Nothing runs while nobody
// listens.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "loop/loop.h"
#include "server/exchange.h"

namespace celadon::admin {

class Events final : private loop::Timer {
 public:
  Events(loop::Loop& loop, std::function<std::string()> snapshot) noexcept;
  ~Events() override;

  // False: too many listen already.
  [[nodiscard]] bool add(server::Exchange& exchange) noexcept;

 private:
  class Listener;
  static constexpr std::size_t kMost = 32;
  static constexpr Nanos kPeriod = kSecond;

  void on_timer() noexcept override;
  void send_all() noexcept;
  void let_go() noexcept;

  loop::Loop& loop_;
  const std::function<std::string()> snapshot_;
  std::vector<std::unique_ptr<Listener>> listeners_;
  Nanos next_ = 0;
};

}  // namespace celadon::admin
