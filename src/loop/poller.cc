#include "loop/poller.h"

#include <climits>

namespace celadon::loop {

int Poller::dispatch() noexcept {
  const int events = count_;
  while (at_ < count_) {
    const Event event = batch_[static_cast<std::size_t>(at_++)];
    if (event.handler) event.handler->on_io(event.ready);
  }
  count_ = at_ = 0;
  return events;
}

void Poller::forget(const IoHandler& handler) noexcept {
  for (int i = at_; i < count_; ++i) {
    Event& event = batch_[static_cast<std::size_t>(i)];
    if (event.handler == &handler) event.handler = nullptr;
  }
}

int to_poll_timeout(Nanos timeout) noexcept {
  if (timeout == kNever) return -1;
  if (timeout <= 0) return 0;
  const Nanos ms = (timeout - 1) / kMillisecond + 1;
  return ms > INT_MAX ? INT_MAX : static_cast<int>(ms);
}

timespec to_timespec(Nanos timeout) noexcept {
  timeout = timeout < 0 ? 0 : timeout;
  return {static_cast<time_t>(timeout / kSecond),
          static_cast<decltype(timespec::tv_nsec)>(timeout % kSecond)};
}

}  // namespace celadon::loop
