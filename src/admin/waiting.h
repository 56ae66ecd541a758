// Pages whose text somebody else has: stacks, settings, deeds. Their clients wait here.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "admin/control.h"
#include "loop/loop.h"
#include "server/exchange.h"

namespace celadon::admin {

class WaitingPages final : private loop::Timer {
 public:
  WaitingPages(loop::Loop& loop, Actions& actions) noexcept;
  ~WaitingPages() override;

  // Answers with JSON once `words` are done, or with 503 where too many wait.
  void ask(server::Exchange& exchange, std::string_view words) noexcept;
  // True: the question was one of these.
  bool reply(std::uint64_t number, std::string_view json) noexcept;

 private:
  class Waiting;
  static constexpr std::uint64_t kFirst = std::uint64_t{1} << 62;  // others begin at 1
  static constexpr std::size_t kMost = 16;

  void on_timer() noexcept override;

  loop::Loop& loop_;
  Actions& actions_;
  std::vector<std::unique_ptr<Waiting>> waiting_;
  std::uint64_t next_number_ = kFirst;
};

}  // namespace celadon::admin
