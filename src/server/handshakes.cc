#include "server/handshakes.h"

#include "server/client_connection.h"

namespace celadon::server {

Handshakes::Handshakes(std::size_t most, std::uint64_t& now) noexcept
    : most_(most == 0 ? SIZE_MAX : most), now_(now) {}

Handshakes::~Handshakes() = default;

Handshakes::Place Handshakes::enter(ClientConnection& who) noexcept {
  if (now_ < most_) return enter_at_once();
  if (!who.ListHook<HandshakeTag>::linked()) in_line_.push_back(who);
  return {};
}

Handshakes::Place Handshakes::enter_at_once() noexcept {
  ++now_;
  return Place(this);
}

void Handshakes::end_one() noexcept {
  --now_;
  if (now_ >= most_) return;
  if (ClientConnection* next = in_line_.pop_front()) next->on_place(enter_at_once());
}

}  // namespace celadon::server
