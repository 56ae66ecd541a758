#include "module/listen.h"

#include <string>

#include "py/ref.h"

namespace celadon::module {

std::optional<net::ListenSocket> open_listener(
    std::string_view address, const net::ListenOptions& options) noexcept {
  const std::string text(address);
  const auto target = net::parse_bind(address);
  if (!target) {
    PyErr_Format(PyExc_ValueError, "cannot bind to '%s': %s", text.c_str(),
                 describe(target.error()).data());
    return std::nullopt;
  }
  auto socket = net::ListenSocket::open(*target, options);
  if (!socket) {
    PyErr_Format(PyExc_OSError, "cannot bind to '%s': %s", text.c_str(),
                 describe(socket.error()).data());
    return std::nullopt;
  }
  return std::move(*socket);
}

}  // namespace celadon::module
