// What a listener's TLS is made of, as it is configured.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace celadon::tls {

enum class Verify : std::uint8_t { None, Optional, Required };
enum class Version : std::uint16_t { Tls12 = 0x0303, Tls13 = 0x0304 };

struct Pair {
  std::string cert;  // a file in PEM: the leaf first, then what leads to a root
  std::string key;   // likewise; empty: it is in the file of the certificate
};

struct Settings {
  std::vector<Pair> pairs;  // the first answers to names that none is for
  std::string password;     // of every key that is encrypted
  std::string ca_certs;     // who may sign certificates of clients, a file in PEM
  std::string crl;          // which of those are revoked, likewise
  Verify verify = Verify::None;
  int verify_depth = 4;       // certificates between a client's and its root
  std::string ciphers;        // of TLS 1.2, in OpenSSL's words; empty: kCiphers
  std::string cipher_suites;  // of TLS 1.3; empty: OpenSSL's own
  Version min_version = Version::Tls12;
  Version max_version = Version::Tls13;
  std::vector<std::string> protocols = {"http/1.1"};  // ALPN (RFC 7301), best first
  bool strict_names = false;  // a name that no certificate is for ends the handshake
};

// Those with forward secrecy and authenticated encryption alone.
inline constexpr const char* kCiphers = "ECDHE+AESGCM:ECDHE+CHACHA20";

}  // namespace celadon::tls
