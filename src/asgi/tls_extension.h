// The extension `tls` of a scope (asgiref's specs/tls.rst, version 0.2).
#pragma once

#include "py/ref.h"
#include "server/exchange.h"

namespace celadon::asgi {

// A dict; null with an exception.
[[nodiscard]] py::Object tls_extension(const net::Secrecy& secrecy) noexcept;

}  // namespace celadon::asgi
