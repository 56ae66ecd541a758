// What an environ says of TLS (EN15), by the names that Apache's mod_ssl has given it.
// No field of a request has such a key.
#pragma once

#include <array>

#include "py/ref.h"
#include "server/exchange.h"

namespace celadon::wsgi {

class TlsKeys {
 public:
  // False with an exception.
  [[nodiscard]] bool prepare() noexcept;
  [[nodiscard]] bool add(PyObject* environ, const net::Secrecy& secrecy) const noexcept;

 private:
  enum Key : std::uint8_t {
    kHttps,
    kProtocol,
    kCipher,
    kClientVerify,
    kClientName,
    kClientCertificate,
    kKeys
  };
  [[nodiscard]] bool set(PyObject* environ, Key key,
                         std::string_view text) const noexcept;

  std::array<py::Object, kKeys> keys_;
  py::Object on_;
};

}  // namespace celadon::wsgi
