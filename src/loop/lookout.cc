#include "loop/lookout.h"

#include <chrono>
#include <new>

namespace celadon::loop {

std::expected<void, Error> Lookout::start() noexcept {
  return thread_.start([this]() noexcept { run(); });
}

Lookout::~Lookout() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

void Lookout::abandon() noexcept {
  thread_.forget();
  asleep_.store(false, std::memory_order_relaxed);
  ::new (&mutex_) std::mutex();
  ::new (&changed_) std::condition_variable();
}

void Lookout::run() noexcept {
  while (wait()) empty_looks_ = sight_.look() ? 0 : empty_looks_ + 1;
}

bool Lookout::wait() noexcept {
  std::unique_lock lock(mutex_);
  if (empty_looks_ < kEmptyLooks) {
    changed_.wait_for(lock, std::chrono::nanoseconds(sight_.until_next_look()),
                      [this] { return stopping_; });
    return !stopping_;
  }
  // Said before the second look.
  asleep_.store(true, std::memory_order_seq_cst);
  if (sight_.is_empty()) {
    changed_.wait(lock, [this] { return stopping_ || !asleep_.load(); });
  } else {
    empty_looks_ = 0;
  }
  asleep_.store(false, std::memory_order_relaxed);
  return !stopping_;
}

void Lookout::wake_up() noexcept {
  {
    const std::lock_guard lock(mutex_);
    asleep_.store(false, std::memory_order_relaxed);
  }
  changed_.notify_one();
}

}  // namespace celadon::loop
