// What a handshake came to, for applications.
#pragma once

#include "net/cipher.h"
#include "tls/context.h"
#include "tls/openssl.h"

namespace celadon::tls {

// Of one that is done. The context outlives it.
[[nodiscard]] net::Secrecy secrecy_of(SSL& ssl, const Context& context);

}  // namespace celadon::tls
