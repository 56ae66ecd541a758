// How a connection begins whose listener speaks TLS.
#include <utility>

#include "server/client_connection.h"
#include "server/server.h"

namespace celadon::server {

// What came with the header nobody but the cipher keeps, so it is made at once.
void ClientConnection::begin_handshake(std::string_view received) noexcept {
  set_stage(Stage::Handshake);
  mark_input();
  if (received.empty()) return;
  place_ = server_.handshakes().enter_at_once();
  stream_.guard(server_.make_cipher(), received);
}

void ClientConnection::on_place(Handshakes::Place place) noexcept {
  place_ = std::move(place);
  settle();
}

// False: nothing more is to be read for now. Others have their turn between two steps,
// each of which may take a millisecond of the processor.
bool ClientConnection::shake() noexcept {
  if (!place_) place_ = server_.handshakes().enter(*this);
  if (!place_) return false;
  if (!stream_.cipher()) stream_.guard(server_.make_cipher(), {});
  if (!server_.may_shake()) {
    stream_.tell_again();
    return false;
  }
  const net::Io io = stream_.shake();
  note_output();
  if (io.step == net::Io::Step::Done) {
    on_secured();
  } else if (io.step == net::Io::Step::Failed) {
    on_handshake_failure();
  }
  return io.step == net::Io::Step::Done;
}

// The time for a first request begins here.
void ClientConnection::on_secured() noexcept {
  connection_.cipher = stream_.cipher();
  place_.reset();
  set_stage(Stage::None);
  mark_input();
}

// What the peer is to hear of it, an alert or a page, is lost if a reset meets what it
// still sends: the connection ends as others do, in the clear.
void ClientConnection::on_handshake_failure() noexcept {
  if (stream_.queued() > 0) return lose(Closed::Tls);
  const bool is_plain = stream_.cipher()->met_plain_http();
  stream_.unguard();
  place_.reset();
  set_stage(Stage::None);
  end(Closed::Tls);
  if (is_plain) on_plain_http();
}

}  // namespace celadon::server
