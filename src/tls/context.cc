#include "tls/context.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/params.h>
#include <openssl/pem.h>
#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <fstream>
#include <iterator>
#include <utility>

#include "tls/names.h"
#include "tls/trust.h"

namespace celadon::tls {
namespace {

using Key = Owned<EVP_PKEY, EVP_PKEY_free>;

void free_ciphers(STACK_OF(SSL_CIPHER) * ciphers) {
  sk_SSL_CIPHER_free(ciphers);
}
using Ciphers = Owned<STACK_OF(SSL_CIPHER), free_ciphers>;

std::unexpected<std::string> wrong(std::string_view file, std::string_view what) {
  return std::unexpected(std::string(file) + ": " + std::string(what));
}

int on_password(char* into, int size, int, void* password) {
  const auto& text = *static_cast<const std::string*>(password);
  if (text.empty() || text.size() > static_cast<std::size_t>(size)) return -1;
  return static_cast<int>(text.copy(into, text.size()));
}

std::expected<Bio, std::string> open_file(const std::string& path) {
  Bio file(BIO_new_file(path.c_str(), "r"));
  if (file) return file;
  const std::string why = std::strerror(errno);
  ERR_clear_error();
  return wrong(path, why);
}

std::expected<Certificate, std::string> read_leaf(const std::string& path) {
  auto file = open_file(path);
  if (!file) return std::unexpected(std::move(file.error()));
  Certificate leaf(PEM_read_bio_X509_AUX(file->get(), nullptr, nullptr, nullptr));
  if (leaf) return leaf;
  ERR_clear_error();
  return wrong(path, "has no certificate in PEM");
}

// OpenSSL says the same of a file without a key and of one that it cannot read.
bool has_key(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  return text.find("PRIVATE KEY-----") != std::string::npos;
}

std::expected<Key, std::string> read_key(const std::string& path,
                                         const std::string& password) {
  auto file = open_file(path);
  if (!file) return std::unexpected(std::move(file.error()));
  Key key(PEM_read_bio_PrivateKey(file->get(), nullptr, on_password,
                                  const_cast<std::string*>(&password)));
  if (key) return key;
  ERR_clear_error();
  if (!has_key(path)) return wrong(path, "has no private key in PEM");
  if (password.empty()) {
    return wrong(path, "its key is encrypted or broken; keyfile_password is not set");
  }
  return wrong(path, "its key cannot be read: the password is wrong, or it is broken");
}

std::string day_of(const ASN1_TIME& at) {
  std::tm tm{};
  if (ASN1_TIME_to_tm(&at, &tm) != 1) return "an unreadable day";
  std::array<char, 32> text;
  const std::size_t n = std::strftime(text.data(), text.size(), "%Y-%m-%d", &tm);
  return {text.data(), n};
}

std::time_t seconds_of(const ASN1_TIME& at) {
  std::tm tm{};
  return ASN1_TIME_to_tm(&at, &tm) == 1 ? ::timegm(&tm) : 0;
}

std::string wire_form(const std::vector<std::string>& protocols) {
  std::string wire;
  for (const std::string& p : protocols) {
    wire += static_cast<char>(p.size());
    wire += p;
  }
  return wire;
}

// The best that this OpenSSL has; what it lacks is left out.
void choose_groups(SSL_CTX& ctx) {
  constexpr std::array kGroups{"X25519MLKEM768:X25519:P-256:P-384",
                               "X25519:P-256:P-384"};
  for (const char* groups : kGroups) {
    if (SSL_CTX_set1_groups_list(&ctx, groups) == 1) break;
  }
  ERR_clear_error();
}

// 112 bits: RSA of 2048 bits, no SHA-1 (SSL_CTX_set_security_level(3)).
constexpr int kSecurity = 2;

std::string why_refused() {
  const int reason = ERR_GET_REASON(ERR_peek_error());
  const bool is_weak = reason == SSL_R_EE_KEY_TOO_SMALL ||
                       reason == SSL_R_CA_KEY_TOO_SMALL ||
                       reason == SSL_R_CA_MD_TOO_WEAK;
  return (is_weak ? "is too weak: " : "") + take_failure();
}

// Beside those of TLS 1.3, which are always there.
bool has_good_cipher(SSL_CTX& ctx) {
  const Ssl ssl(SSL_new(&ctx));
  const Ciphers good(ssl ? SSL_get1_supported_ciphers(ssl.get()) : nullptr);
  for (int i = 0; good && i < sk_SSL_CIPHER_num(good.get()); ++i) {
    const std::string_view version =
        SSL_CIPHER_get_version(sk_SSL_CIPHER_value(good.get(), i));
    if (version != "TLSv1.3") return true;
  }
  return false;
}

void set_behaviour(SSL_CTX& ctx) {
  SSL_CTX_set_options(&ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                SSL_OP_CIPHER_SERVER_PREFERENCE |
                                SSL_OP_PRIORITIZE_CHACHA |
                                SSL_OP_IGNORE_UNEXPECTED_EOF);
  SSL_CTX_set_mode(&ctx, SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_session_cache_mode(&ctx, SSL_SESS_CACHE_OFF);
  // One read takes what came, not each record's head and then the rest of it.
  SSL_CTX_set_read_ahead(&ctx, 1);
  choose_groups(ctx);
}

}  // namespace

std::expected<std::unique_ptr<Context>, std::string> Context::load(
    const Settings& settings, const TicketKeys* keys, std::time_t now) {
  const OwnFailures failures;
  if (settings.pairs.empty()) return std::unexpected("no certificate is given");
  std::unique_ptr<Context> context(new Context(settings, keys));
  for (const Pair& pair : settings.pairs) {
    if (auto added = context->add(pair, settings, now); !added) {
      return std::unexpected(std::move(added.error()));
    }
  }
  context->note_names();
  return context;
}

Context::Context(const Settings& settings, const TicketKeys* keys)
    : keys_(keys),
      strict_names_(settings.strict_names),
      protocols_(wire_form(settings.protocols)) {}

Context::Result Context::add(const Pair& pair, const Settings& settings,
                             std::time_t now) {
  auto leaf = read_leaf(pair.cert);
  if (!leaf) return std::unexpected(std::move(leaf.error()));
  const ASN1_TIME& until = *X509_get0_notAfter(leaf->get());
  if (X509_cmp_time(&until, &now) < 0) {
    return wrong(pair.cert, "the certificate expired on " + day_of(until));
  }
  const std::string& key_file = pair.key.empty() ? pair.cert : pair.key;
  auto key = read_key(key_file, settings.password);
  if (!key) return std::unexpected(std::move(key.error()));
  if (X509_check_private_key(leaf->get(), key->get()) != 1) {
    ERR_clear_error();
    return wrong(key_file, "is not the key of " + pair.cert);
  }
  auto entry = entry_for(**leaf, settings);
  if (!entry) return std::unexpected(std::move(entry.error()));
  SSL_CTX* ctx = (*entry)->ctx.get();
  if (SSL_CTX_use_certificate_chain_file(ctx, pair.cert.c_str()) != 1) {
    return wrong(pair.cert, why_refused());
  }
  if (SSL_CTX_use_PrivateKey(ctx, key->get()) != 1) {
    return wrong(key_file, take_failure());
  }
  if (X509* used = SSL_CTX_get0_certificate(ctx)) pems_[used] = tls::pem_of(*used);
  (*entry)->kinds.push_back(EVP_PKEY_get_base_id(key->get()));
  const auto& names = (*entry)->names;
  expiries_.push_back(
      {names.empty() ? std::string() : names.front(), pair.cert, seconds_of(until)});
  return {};
}

// One of RSA and one of ECDSA for the same names stand together: the client chooses.
std::expected<Context::Entry*, std::string> Context::entry_for(
    X509& leaf, const Settings& settings) {
  std::vector<std::string> names = names_of(leaf);
  const int kind = EVP_PKEY_get_base_id(X509_get0_pubkey(&leaf));
  for (Entry& entry : entries_) {
    if (entry.names == names &&
        std::ranges::find(entry.kinds, kind) == entry.kinds.end()) {
      return &entry;
    }
  }
  auto ctx = make(settings);
  if (!ctx) return std::unexpected(std::move(ctx.error()));
  entries_.push_back({std::move(*ctx), std::move(names), {}});
  return &entries_.back();
}

std::expected<SslCtx, std::string> Context::make(const Settings& settings) {
  SslCtx ctx(SSL_CTX_new(TLS_server_method()));
  if (!ctx) return std::unexpected("OpenSSL: " + take_failure());
  SSL_CTX_set_min_proto_version(ctx.get(), std::to_underlying(settings.min_version));
  SSL_CTX_set_max_proto_version(ctx.get(), std::to_underlying(settings.max_version));
  const char* ciphers = settings.ciphers.empty() ? kCiphers : settings.ciphers.c_str();
  if (SSL_CTX_set_cipher_list(ctx.get(), ciphers) != 1) {
    return wrong("ciphers", take_failure());
  }
  if (!settings.cipher_suites.empty() &&
      SSL_CTX_set_ciphersuites(ctx.get(), settings.cipher_suites.c_str()) != 1) {
    return wrong("ciphers", take_failure());
  }
  SSL_CTX_set_security_level(ctx.get(), kSecurity);  // whatever the ciphers say of it
  if (settings.min_version == Version::Tls12 && !has_good_cipher(*ctx)) {
    return wrong("ciphers", "none of them is good enough for TLS 1.2");
  }
  set_behaviour(*ctx);
  if (auto trusted = trust(*ctx, settings); !trusted) {
    return std::unexpected(std::move(trusted.error()));
  }
  SSL_CTX_set_app_data(ctx.get(), this);
  SSL_CTX_set_tlsext_servername_callback(ctx.get(), on_hello_name);
  SSL_CTX_set_tlsext_servername_arg(ctx.get(), this);
  SSL_CTX_set_alpn_select_cb(ctx.get(), on_protocols, this);
  if (keys_) {
    SSL_CTX_set_num_tickets(ctx.get(), 1);
    SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx.get(), on_ticket);
  } else {
    SSL_CTX_set_num_tickets(ctx.get(), 0);
    SSL_CTX_set_options(ctx.get(), SSL_OP_NO_TICKET);
  }
  return ctx;
}

std::string_view Context::pem_of(const X509* certificate) const noexcept {
  const auto it = pems_.find(certificate);
  return it == pems_.end() ? std::string_view() : it->second;
}

// Of two certificates for one name the first that was given answers.
void Context::note_names() {
  for (const Entry& entry : entries_) {
    for (const std::string& name : entry.names)
      names_.try_emplace(name, entry.ctx.get());
  }
}

SSL_CTX* Context::for_name(std::string_view name) const {
  const std::string plain = plain_name(name);
  if (const auto it = names_.find(plain); it != names_.end()) return it->second;
  if (const auto it = names_.find(starred(plain)); it != names_.end())
    return it->second;
  return nullptr;
}

// --- what OpenSSL asks in the midst of a handshake ---

int Context::on_hello_name(SSL* ssl, int* alert, void* self) noexcept {
  const auto& context = *static_cast<const Context*>(self);
  const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  if (!name) return SSL_TLSEXT_ERR_NOACK;
  if (SSL_CTX* ctx = context.for_name(name)) {
    SSL_set_SSL_CTX(ssl, ctx);
    return SSL_TLSEXT_ERR_OK;
  }
  if (!context.strict_names_) return SSL_TLSEXT_ERR_NOACK;
  *alert = SSL_AD_UNRECOGNIZED_NAME;
  return SSL_TLSEXT_ERR_ALERT_FATAL;
}

int Context::on_protocols(SSL*, const unsigned char** out, unsigned char* length,
                          const unsigned char* offered, unsigned int offered_length,
                          void* self) noexcept {
  const std::string& ours = static_cast<const Context*>(self)->protocols_;
  const int found = SSL_select_next_proto(
      const_cast<unsigned char**>(out), length,
      reinterpret_cast<const unsigned char*>(ours.data()),
      static_cast<unsigned int>(ours.size()), offered, offered_length);
  return found == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK
                                         : SSL_TLSEXT_ERR_ALERT_FATAL;
}

namespace {

bool start_mac(EVP_MAC_CTX* mac, TicketKey& key) {
  std::array<char, 7> digest{"sha256"};
  const std::array params{
      OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key.mac.data(),
                                        key.mac.size()),
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest.data(), 0),
      OSSL_PARAM_construct_end()};
  return EVP_MAC_CTX_set_params(mac, params.data()) == 1;
}

}  // namespace

// SSL_CTX_set_tlsext_ticket_key_evp_cb(3): 0 is no ticket, 2 is one that is made anew.
int Context::on_ticket(SSL* ssl, unsigned char* name, unsigned char* iv,
                       EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac, int seals) noexcept {
  const auto& context =
      *static_cast<const Context*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
  constexpr int kIv = 16;
  if (seals) {
    auto key = context.keys_->current();
    if (!key || RAND_bytes(iv, kIv) != 1) return 0;
    std::ranges::copy(key->name, name);
    const bool ready = EVP_EncryptInit_ex2(cipher, EVP_aes_256_cbc(),
                                           key->cipher.data(), iv, nullptr) == 1;
    return ready && start_mac(mac, *key) ? 1 : -1;
  }
  unsigned char asked[16];
  std::copy_n(name, sizeof asked, asked);
  auto found = context.keys_->find(asked);
  if (!found) return 0;
  const bool ready = EVP_DecryptInit_ex2(cipher, EVP_aes_256_cbc(),
                                         found->key.cipher.data(), iv, nullptr) == 1;
  if (!ready || !start_mac(mac, found->key)) return -1;
  // TLS 1.3 wants a ticket to be used once, so each resumption brings another.
  return found->is_current && SSL_version(ssl) != TLS1_3_VERSION ? 1 : 2;
}

}  // namespace celadon::tls
