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

#include <memory>
#include <span>
#include <string_view>

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

class Cipher {
 public:
  virtual ~Cipher() = default;
  // Goes on with the handshake. Again: it waits for the peer. Nothing may be opened or
  // sealed before it is Done.
  [[nodiscard]] virtual Io shake(Wire& wire) noexcept = 0;
  // Eof: the peer has said that it sends no more, or its end came.
  [[nodiscard]] virtual Io open(Wire& wire, std::span<char> into) noexcept = 0;
  // Something lies in memory of which the poller knows nothing: bytes that were opened,
  // or received and not opened yet, be it half a record.
  [[nodiscard]] virtual bool has_more() const noexcept = 0;
  // Seals the first bytes, how many it says; all of them where they are few.
  [[nodiscard]] virtual Io seal(Wire& wire, std::span<const iovec> pieces) noexcept = 0;
  // Tells the peer that nothing more comes.
  virtual void say_goodbye(Wire& wire) noexcept = 0;
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
