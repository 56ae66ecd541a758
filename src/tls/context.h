// What all sessions of a listener share: certificates by name, who is trusted, versions
// and ciphers. It is made whole or not at all, and never changes: a reload makes
// another one, and sessions that are open keep theirs.
#pragma once

#include <cstdint>
#include <ctime>
#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "tls/openssl.h"
#include "tls/settings.h"
#include "tls/ticket_keys.h"

namespace celadon::tls {

// For people and metrics.
struct Expiry {
  std::string name;  // the first that the certificate is for
  std::string file;
  std::time_t at;  // in seconds since 1970
};

class Context {
 public:
  // Reads every file. What is wrong with them is one line for people: the file and what
  // it lacks. Certificates that have expired at `now` are refused. Without keys there
  // are no tickets; they outlive the context.
  [[nodiscard]] static std::expected<std::unique_ptr<Context>, std::string> load(
      const Settings& settings, const TicketKeys* keys, std::time_t now);
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  [[nodiscard]] SSL_CTX& standard() const noexcept { return *entries_.front().ctx; }
  [[nodiscard]] const std::vector<Expiry>& expiries() const noexcept {
    return expiries_;
  }
  // Of one of ours; empty: it is none.
  [[nodiscard]] std::string_view pem_of(const X509* certificate) const noexcept;
  // Null: no certificate is for that name.
  [[nodiscard]] SSL_CTX* for_name(std::string_view name) const;

 private:
  // Certificates for the same names, one of each kind of key.
  struct Entry {
    SslCtx ctx;
    std::vector<std::string> names;
    std::vector<int> kinds;
  };
  using Result = std::expected<void, std::string>;

  Context(const Settings& settings, const TicketKeys* keys);
  [[nodiscard]] Result add(const Pair& pair, const Settings& settings, std::time_t now);
  [[nodiscard]] std::expected<Entry*, std::string> entry_for(X509& leaf,
                                                             const Settings& settings);
  [[nodiscard]] std::expected<SslCtx, std::string> make(const Settings& settings);
  void note_names();

  static int on_hello_name(SSL* ssl, int* alert, void* self) noexcept;
  static int on_protocols(SSL* ssl, const unsigned char** out, unsigned char* length,
                          const unsigned char* offered, unsigned int offered_length,
                          void* self) noexcept;
  static int on_ticket(SSL* ssl, unsigned char* name, unsigned char* iv,
                       EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac, int seals) noexcept;

  const TicketKeys* keys_;
  const bool strict_names_;
  std::string protocols_;  // as they go over the wire
  std::vector<Entry> entries_;
  std::vector<Expiry> expiries_;
  std::unordered_map<std::string, SSL_CTX*> names_;
  std::unordered_map<const X509*, std::string> pems_;
};

}  // namespace celadon::tls
