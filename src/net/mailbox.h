// A queue of descriptors for one process, into which several put. It outlives who reads
// it: what lies in it when a process dies is there for the next one.
#pragma once

#include <array>
#include <cstddef>
#include <expected>
#include <optional>

#include "base/error.h"
#include "net/owned_fd.h"

namespace celadon::net {

class Mailbox {
 public:
  // What travels with a descriptor.
  using Note = std::array<std::byte, 64>;

  [[nodiscard]] static std::expected<Mailbox, Error> make() noexcept;

  // A copy of the descriptor goes into the queue; the caller keeps his own. False: the
  // queue is full.
  [[nodiscard]] bool put(int fd, const Note& note) const noexcept;
  // The oldest; nothing: the queue is empty.
  [[nodiscard]] std::optional<OwnedFd> take(Note& note) const noexcept;
  // Only puts from now on: in a process that is not to read from it.
  void close_out() noexcept { out_.close(); }
  // Readable while something is in the queue.
  [[nodiscard]] int fd() const noexcept { return out_.get(); }

 private:
  Mailbox(int in, int out) noexcept : in_(in), out_(out) {}
  OwnedFd in_;
  OwnedFd out_;
};

}  // namespace celadon::net
