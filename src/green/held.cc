#include "green/held.h"

#include <new>
#include <utility>

namespace celadon::green {

void HeldSlice::set_sink(HeldSink* sink) noexcept {
  const std::lock_guard lock(mutex_);
  sink_ = sink;
}

void HeldSlice::abandon() noexcept {
  ::new (&mutex_) std::mutex();
  pending_.store(false, std::memory_order_relaxed);
  sink_ = nullptr;
}

void HeldSlice::sampled(Nanos began, Nanos held, std::string place,
                        std::string_view stack) noexcept {
  const std::lock_guard lock(mutex_);
  if (sink_) sink_->on_held(place, stack, held);
  began_ = began;
  held_ = held;
  logged_ = false;
  place_ = std::move(place);
  who_ = std::exchange(seen_, {});
  pending_.store(true, std::memory_order_release);
}

void HeldSlice::set_logged() noexcept {
  const std::lock_guard lock(mutex_);
  logged_ = true;
}

void HeldSlice::set_holder(std::string who) noexcept {
  const std::lock_guard lock(mutex_);
  if (who_.empty()) who_ = std::move(who);
}

void HeldSlice::set_seen(std::string who) noexcept {
  const std::lock_guard lock(mutex_);
  seen_ = std::move(who);
}

std::string HeldSlice::holder() noexcept {
  const std::lock_guard lock(mutex_);
  return who_;
}

std::string HeldSlice::released(Nanos began, Nanos now) noexcept {
  const std::lock_guard lock(mutex_);
  pending_.store(false, std::memory_order_relaxed);
  if (began != began_)
    return {};  // it was over before the watchdog had written it down
  const Nanos length = now - began;
  if (sink_) sink_->on_released(held_, length);
  if (!logged_) return {};
  std::string line = "the loop was held for " + std::to_string(length / kMillisecond) +
                     " ms in all at " + place_;
  if (!who_.empty()) line += " by " + who_;
  return line;
}

}  // namespace celadon::green
