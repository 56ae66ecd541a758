// A TLS client of OpenSSL's, joined with a session of ours by two strings.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

#include "net/cipher.h"
#include "tls/openssl.h"
#include "tls/session.h"

namespace celadon::tls {

// The server's socket: bytes come from one string and go to another.
class Strings final : public net::Wire {
 public:
  net::Io receive(std::span<char> into) noexcept override {
    if (up.empty()) {
      return {ended ? net::Io::Step::Eof : net::Io::Step::Again};
    }
    const std::size_t n = std::min({into.size(), up.size(), most});
    std::copy_n(up.data(), n, into.data());
    up.erase(0, n);
    ++reads;
    return {net::Io::Step::Done, Error::Other, n};
  }
  void transmit(std::string_view sealed) noexcept override { down.append(sealed); }

  std::string up;
  std::string down;
  bool ended = false;
  std::size_t most = SIZE_MAX;  // at once
  int reads = 0;
};

class Client {
 public:
  Client() : ctx_(SSL_CTX_new(TLS_client_method())) {
    SSL_CTX_set_security_level(ctx_.get(), 0);
  }
  [[nodiscard]] SSL_CTX& ctx() noexcept { return *ctx_; }
  // What is set on the context counts from here on.
  void begin(const std::string& name = {});
  [[nodiscard]] SSL& ssl() noexcept { return *ssl_; }

  // Both go on until neither has anything to say. True: the handshake is done.
  bool shake(Session& session, Strings& wire);
  // One step of the client's handshake. True: it is done.
  bool step(Strings& wire);
  void write(Strings& wire, std::string_view bytes);
  [[nodiscard]] std::string read(Strings& wire);
  void bring(Strings& wire);  // what the client has said goes up
  void take(Strings& wire);   // what came down goes to the client

 private:
  SslCtx ctx_;
  Ssl ssl_;
};

}  // namespace celadon::tls
