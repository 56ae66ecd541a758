// The master's end of its pair to the admin process: packets of a number and words in,
// of the number and a JSON text out.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "loop/loop.h"
#include "net/owned_fd.h"

namespace celadon::master {

class AdminLink final : private loop::IoHandler {
 public:
  class Commands {
   public:
    virtual ~Commands() = default;
    // A JSON text, or nothing where `reply` comes later.
    [[nodiscard]] virtual std::string obey(std::uint64_t question,
                                           std::string_view words) noexcept = 0;
  };
  AdminLink(loop::Loop& loop, Commands& commands) noexcept
      : loop_(loop), commands_(commands) {}
  ~AdminLink() override { close(); }

  // The other end, for the process that is about to be forked; none: it cannot be made.
  [[nodiscard]] net::OwnedFd open() noexcept;
  // Of a process that is gone by now nobody hears.
  void reply(std::uint64_t question, std::string_view json) noexcept;
  void close() noexcept;
  // After a fork, in the child.
  void abandon() noexcept { fd_.close(); }

 private:
  void on_io(std::uint8_t ready) noexcept override;
  static constexpr std::size_t kPacket = 2048;

  loop::Loop& loop_;
  Commands& commands_;
  net::OwnedFd fd_;
};

}  // namespace celadon::master
