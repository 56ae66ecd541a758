// Readiness as the simulated kernel has it, in an order of its own choice.
#pragma once

#include <vector>

#include "loop/poller.h"
#include "sim/choices.h"
#include "sim/kernel.h"

namespace celadon::sim {

class SimPoller final : public loop::Poller {
 public:
  SimPoller(Kernel& kernel, Choices& choices, const Moods& moods) noexcept
      : kernel_(kernel), choices_(choices), moods_(moods) {}

  std::expected<void, Error> add(int fd, std::uint8_t interest,
                                 loop::IoHandler& handler) noexcept override;
  std::expected<bool, Error> modify(int fd, std::uint8_t interest,
                                    loop::IoHandler& handler) noexcept override;
  void remove(int fd, loop::IoHandler& handler) noexcept override;
  [[nodiscard]] bool can_drop() const noexcept override { return true; }
  void drop(int fd) noexcept override {
    std::erase_if(watched_, [fd](const Watched& each) { return each.fd == fd; });
  }
  void abandon() noexcept override {}
  // Never waits: notes how long it would have.
  int wait(Nanos timeout) noexcept override;

  // Since it was asked last: how long a wait would have lasted; 0: not at all.
  [[nodiscard]] Nanos would_wait() const noexcept { return would_wait_; }
  // Something is ready, or would be with the interest there is.
  [[nodiscard]] bool has_events() const noexcept;

 private:
  struct Watched {
    int fd;
    std::uint8_t interest;
    loop::IoHandler* handler;
    bool disarmed = false;  // by its one event
  };
  [[nodiscard]] std::uint8_t ready(const Watched& watched) const noexcept;
  Watched* find(int fd) noexcept;
  [[nodiscard]] bool has_room(int fd) noexcept;

  Kernel& kernel_;
  Choices& choices_;
  const Moods& moods_;
  std::vector<Watched> watched_;
  Nanos would_wait_ = 0;
};

}  // namespace celadon::sim
