// Certificates for development: an authority of one's own, and what it signs.
#pragma once

#include <expected>
#include <string>
#include <vector>

namespace celadon::tls {

// In PEM; the key is not encrypted.
struct PemPair {
  std::string cert;
  std::string key;
};

// One that signs for `days` from now on. What OpenSSL says where it fails.
[[nodiscard]] std::expected<PemPair, std::string> make_authority(
    const std::string& name, int days);
// For a server by these names: host names, a star for the first label, or IP addresses.
[[nodiscard]] std::expected<PemPair, std::string> sign_for(
    const PemPair& authority, const std::vector<std::string>& names, int days);

}  // namespace celadon::tls
