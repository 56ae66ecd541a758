// The descriptors of an asyncio loop, as one descriptor of a hub: asyncio's own epoll
// object, which is ready when one of its members is.
//
// A hub is told of it as long as it is ready, but for a loop whose turn does not come:
// that would keep the hub from sleeping. It is Python's, which may close it.
#pragma once

#include <memory>

#include "green/hub.h"
#include "loop/loop.h"

namespace celadon::aio {

// False: its thread has ended, or it is the parent's of a forked child.
[[nodiscard]] bool is_alive(const green::Hub& hub) noexcept;

class Watch final : public loop::IoHandler {
 public:
  // What hears that there is something to read.
  class Owner {
   public:
    virtual ~Owner() = default;
    // False: it does not look soon, and arms it again when it does.
    virtual bool on_readable() noexcept = 0;
  };

  Watch(green::Hub& hub, int fd, Owner& owner) noexcept
      : hub_(hub), owner_(&owner), fd_(fd) {}

  [[nodiscard]] green::Hub& hub() const noexcept { return hub_; }
  // Tells of what is ready already, too. False, with errno: there is no room for it.
  [[nodiscard]] bool arm() noexcept;
  // The owner hears nothing any more. Any thread, GIL held; it is freed once the hub
  // cannot know it any more.
  static void end(std::unique_ptr<Watch> watch) noexcept;

 private:
  void on_io(std::uint8_t ready) noexcept override;

  green::Hub& hub_;
  Owner* owner_;
  int fd_;
  bool armed_ = false;
};

}  // namespace celadon::aio
