#include "server/punctual.h"

#include <algorithm>
#include <utility>

#include "server/server.h"

namespace celadon::server {

std::expected<void, Error> Punctual::start() noexcept {
  server_.loop().custody().share();
  return lookout_.start();
}

Nanos Punctual::now() const noexcept {
  return server_.loop().clock().now();
}

Nanos Punctual::until_next_look() const noexcept {
  const Nanos since = since_.load(std::memory_order_relaxed);
  if (!waits(since)) return kHold;
  return std::clamp(since + kHold - now(), kRetry, kHold);
}

bool Punctual::look() noexcept {
  const Nanos since = since_.load(std::memory_order_acquire);
  if (waits(since) && now() - since >= kHold) send(since);
  const std::uint64_t begun = begun_.load(std::memory_order_relaxed);
  return std::exchange(seen_, begun) != begun || waits(since);
}

bool Punctual::is_empty() const noexcept {
  return !waits(since_.load(std::memory_order_seq_cst));
}

void Punctual::send(Nanos since) noexcept {
  loop::Custody& custody = server_.loop().custody();
  if (!custody.try_take()) return;
  if (since_.load(std::memory_order_relaxed) == since) {
    sent_of_ = since;
    server_.send_held_back();
  }
  custody.give_back();
}

}  // namespace celadon::server
