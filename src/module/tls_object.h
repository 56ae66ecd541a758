// celadon._core.Tls: certificates and what goes with them, read and checked. The master
// makes it, before it forks and as whoever may read keys; its workers use it. A build
// without OpenSSL has none (without_tls.cc).
#pragma once

#include <memory>

#include "base/clock.h"
#include "net/cipher.h"
#include "py/ref.h"
#include "tls/failure.h"

namespace celadon::module {

// Ciphers of a Tls, which they keep; null for None. The counters and the clock outlive
// them. False with an exception.
[[nodiscard]] bool make_ciphers(PyObject* object, tls::Counters& counters, Clock& clock,
                                std::unique_ptr<net::CipherSource>& out) noexcept;

[[nodiscard]] int add_tls(PyObject* module) noexcept;

}  // namespace celadon::module
