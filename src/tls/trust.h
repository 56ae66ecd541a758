// Which certificates of clients are trusted.
#pragma once

#include <expected>
#include <string>

#include "tls/openssl.h"
#include "tls/settings.h"

namespace celadon::tls {

// Sessions that were begun where others are trusted are not resumed here.
[[nodiscard]] std::expected<void, std::string> trust(SSL_CTX& ctx,
                                                     const Settings& settings);

}  // namespace celadon::tls
