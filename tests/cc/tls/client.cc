#include "client.h"

#include <openssl/bio.h>

#include <array>

namespace celadon::tls {

void Client::begin(const std::string& name) {
  ssl_.reset(SSL_new(ctx_.get()));
  SSL_set_bio(ssl_.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
  SSL_set_connect_state(ssl_.get());
  if (!name.empty()) SSL_set_tlsext_host_name(ssl_.get(), name.c_str());
}

void Client::bring(Strings& wire) {
  std::array<char, 4096> some;
  int n = 0;
  while ((n = BIO_read(SSL_get_wbio(ssl_.get()), some.data(), some.size())) > 0) {
    wire.up.append(some.data(), static_cast<std::size_t>(n));
  }
}

void Client::take(Strings& wire) {
  if (wire.down.empty()) return;
  BIO_write(SSL_get_rbio(ssl_.get()), wire.down.data(),
            static_cast<int>(wire.down.size()));
  wire.down.clear();
}

bool Client::step(Strings& wire) {
  take(wire);
  const int result = SSL_do_handshake(ssl_.get());
  bring(wire);
  return result == 1;
}

bool Client::shake(Session& session, Strings& wire) {
  bool client_done = false;
  for (int i = 0; i < 8; ++i) {
    client_done = step(wire);
    const net::Io io = session.shake(wire);
    if (io.step == net::Io::Step::Failed) {
      take(wire);
      return false;
    }
    if (client_done && io.step == net::Io::Step::Done) return true;
  }
  return false;
}

void Client::write(Strings& wire, std::string_view bytes) {
  SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size()));
  bring(wire);
}

std::string Client::read(Strings& wire) {
  take(wire);
  std::string all;
  std::array<char, 4096> some;
  int n = 0;
  while ((n = SSL_read(ssl_.get(), some.data(), some.size())) > 0) {
    all.append(some.data(), static_cast<std::size_t>(n));
  }
  bring(wire);
  return all;
}

}  // namespace celadon::tls
