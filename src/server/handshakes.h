// Handshakes in progress. Each takes memory, for as long as its peer likes: there are
// so many at a time, and others wait in line, unread.
//
//   enter ─► in progress ─► its Place ends
//      └───► in line ─► on_place, when the first in line
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/intrusive_list.h"

namespace celadon::server {

class ClientConnection;
struct HandshakeTag;

class Handshakes {
 public:
  struct Leave {
    void operator()(Handshakes* all) const noexcept { all->end_one(); }
  };
  // Of one that is in progress, as long as it has it. The Handshakes outlive it.
  using Place = std::unique_ptr<Handshakes, Leave>;

  // `most`: 0 is without limit. `now` counts those in progress.
  Handshakes(std::size_t most, std::uint64_t& now) noexcept;
  ~Handshakes();
  Handshakes(const Handshakes&) = delete;
  Handshakes& operator=(const Handshakes&) = delete;

  // Null: `who` is in line.
  [[nodiscard]] Place enter(ClientConnection& who) noexcept;
  // For who cannot wait, however many there are.
  [[nodiscard]] Place enter_at_once() noexcept;

 private:
  void end_one() noexcept;

  const std::size_t most_;
  std::uint64_t& now_;
  IntrusiveList<ClientConnection, HandshakeTag> in_line_;  // only while all are taken
};

}  // namespace celadon::server
