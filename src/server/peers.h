// Other servers of the same site, which take connections over.
#pragma once

#include "base/clock.h"
#include "net/address.h"

namespace celadon::server {

// What a server has to know of a connection beyond its descriptor. Copied as bytes.
struct Passage {
  net::Address peer;
  net::Address local;
  Nanos since = 0;       // its wait for a next request began
  bool trusted = false;  // whoever connected is in forwarded_allow_ips
  bool fresh = true;     // it had no request yet
  bool proxied = false;  // its PROXY header is still to come
  bool tls = false;      // its handshake is still to come
};

class Peers {
 public:
  virtual ~Peers() = default;
  // All of them are about to end.
  [[nodiscard]] virtual bool ending() noexcept = 0;
  // There is another one that serves.
  [[nodiscard]] virtual bool has_other() noexcept = 0;
  // This one has more connections than its share.
  [[nodiscard]] virtual bool over_share() noexcept = 0;
  // Another one takes a connection without closing one of its own for it.
  [[nodiscard]] virtual bool has_room() noexcept = 0;
  // A copy of the descriptor goes to another one. False: nobody takes it.
  [[nodiscard]] virtual bool pass(int fd, const Passage& passage) noexcept = 0;
};

}  // namespace celadon::server
