#include "server/punctual.h"

#include <algorithm>
#include <chrono>
#include <new>

#include "server/server.h"

namespace celadon::server {

std::expected<void, Error> Punctual::start() noexcept {
  if (!loop::Custody::prepare()) return {};  // the kernel has no membarrier(2)
  return thread_.start([this]() noexcept { run(); });
}

Punctual::~Punctual() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

void Punctual::abandon() noexcept {
  thread_.forget();
  asleep_.store(false, std::memory_order_relaxed);
  ::new (&mutex_) std::mutex();
  ::new (&changed_) std::condition_variable();
}

void Punctual::run() noexcept {
  while (wait()) look();
}

bool Punctual::wait() noexcept {
  std::unique_lock lock(mutex_);
  if (idle_looks_ < kIdleLooks) {
    changed_.wait_for(lock, std::chrono::nanoseconds(until_next_look()),
                      [this] { return stopping_; });
    return !stopping_;
  }
  // Said before the second look: either the loop's thread sees that we sleep, or we see
  // what it holds back.
  asleep_.store(true, std::memory_order_seq_cst);
  if (since_.load(std::memory_order_seq_cst) == 0) {
    changed_.wait(lock, [this] { return stopping_ || !asleep_.load(); });
  }
  asleep_.store(false, std::memory_order_relaxed);
  idle_looks_ = 0;
  return !stopping_;
}

Nanos Punctual::now() const noexcept {
  return server_.loop().clock().now();
}

Nanos Punctual::until_next_look() const noexcept {
  const Nanos since = since_.load(std::memory_order_relaxed);
  if (since == 0 || since == sent_of_) return kHold;
  return std::clamp(since + kHold - now(), kRetry, kHold);
}

void Punctual::look() noexcept {
  const Nanos since = since_.load(std::memory_order_acquire);
  idle_looks_ = since == 0 || since == sent_of_ ? idle_looks_ + 1 : 0;
  if (idle_looks_ > 0 || now() - since < kHold) return;
  loop::Custody& custody = server_.loop().custody();
  if (!custody.try_take()) return;
  if (since_.load(std::memory_order_relaxed) == since) {
    sent_of_ = since;
    server_.send_held_back();
  }
  custody.give_back();
}

void Punctual::wake_up() noexcept {
  {
    const std::lock_guard lock(mutex_);
    asleep_.store(false, std::memory_order_relaxed);
  }
  changed_.notify_one();
}

}  // namespace celadon::server
