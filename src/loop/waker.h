// Wakes a poll from another thread or from a signal handler, by eventfd.
#pragma once

#include "loop/poller.h"

namespace celadon::loop {

class Waker final : public IoHandler {
 public:
  explicit Waker(Poller& poller) noexcept;
  ~Waker() override;
  Waker(const Waker&) = delete;
  Waker& operator=(const Waker&) = delete;

  // Safe in any thread and in a signal handler.
  void wake() const noexcept;
  [[nodiscard]] int fd() const noexcept { return fd_; }
  // Closes without a word to the poller: for a forked child.
  void abandon() noexcept;

 private:
  void on_io(std::uint8_t ready) noexcept override;
  Poller& poller_;
  int fd_;
};

}  // namespace celadon::loop
