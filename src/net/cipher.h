// What may stand between a stream and its socket: bytes are sealed on their way out and
// opened on their way in. The stream moves them; the cipher knows neither descriptors
// nor loops.
//
//   owner ◄─ read ── Stream ◄─ open ── Cipher ◄─ receive ── Wire (the socket)
//   owner ── send ─► Stream ── seal ─► Cipher ── transmit ─► Wire
//
// The kind that serves is tls::Session; the simulator has one of its own.
#pragma once

#include <sys/uio.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "net/io.h"

namespace celadon::net {

// The socket's side of a cipher.
class Wire {
 public:
  virtual ~Wire() = default;
  [[nodiscard]] virtual Io receive(std::span<char> into) noexcept = 0;
  // Takes all of it; it leaves when the cipher has returned, as far as the kernel lets.
  virtual void transmit(std::string_view sealed) noexcept = 0;
};

// What an application may know of a connection whose handshake is done. Texts that are
// not kept here live as long as the cipher.
struct Secrecy {
  std::string_view version;          // `TLSv1.3`
  std::uint16_t version_number = 0;  // as it goes over the wire
  std::string_view suite;            // of ciphers, in OpenSSL's words
  std::uint16_t suite_number = 0;
  std::string_view server_certificate;    // in PEM
  bool asks_clients = false;              // for a certificate
  std::vector<std::string> client_chain;  // in PEM, its own first; empty: it has none
  std::string client_name;                // RFC 4514; whose certificate that is
};

class Cipher {
 public:
  virtual ~Cipher() = default;
  // Goes on with the handshake. Again: it waits for the peer. Nothing may be opened or
  // sealed before it is Done.
  [[nodiscard]] virtual Io shake(Wire& wire) noexcept = 0;
  // Eof: the peer has said that it sends no more, or its end came.
  [[nodiscard]] virtual Io open(Wire& wire, std::span<char> into) noexcept = 0;
  // Something is there of which the poller may know nothing: bytes that were opened, or
  // received and not opened yet, be it half a record; or the end.
  [[nodiscard]] virtual bool has_more() const noexcept = 0;
  // Seals the first bytes, how many it says; all of them where they are few.
  [[nodiscard]] virtual Io seal(Wire& wire, std::span<const iovec> pieces) noexcept = 0;
  // Tells the peer that nothing more comes.
  virtual void say_goodbye(Wire& wire) noexcept = 0;
  // Once the handshake is done.
  [[nodiscard]] virtual const Secrecy& secrecy() const noexcept = 0;
  // The handshake failed because the peer speaks HTTP as it is.
  [[nodiscard]] virtual bool met_plain_http() const noexcept = 0;
};

// One cipher for each connection.
class CipherSource {
 public:
  virtual ~CipherSource() = default;
  [[nodiscard]] virtual std::unique_ptr<Cipher> make() noexcept = 0;
};

}  // namespace celadon::net
