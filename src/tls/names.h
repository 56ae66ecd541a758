// Which certificate answers to which name (RFC 6066 3, RFC 6125 6.4): the exact one,
// then one whose first label is a star.
#pragma once

#include <openssl/x509.h>

#include <string>
#include <string_view>
#include <vector>

namespace celadon::tls {

// In small letters, without the dot that may end it.
[[nodiscard]] std::string plain_name(std::string_view name);
// The DNS names that a certificate is for, plain; its common name where it says none.
[[nodiscard]] std::vector<std::string> names_of(X509& certificate);
// `*.example.org` for `www.example.org`; empty where there is no such.
[[nodiscard]] std::string starred(std::string_view name);

}  // namespace celadon::tls
