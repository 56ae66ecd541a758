#include "tls/trust.h"

#include <openssl/evp.h>
#include <openssl/x509_vfy.h>

#include <array>
#include <fstream>
#include <iterator>
#include <utility>

namespace celadon::tls {
namespace {

using Result = std::expected<void, std::string>;

Result load_authorities(SSL_CTX& ctx, const std::string& file) {
  if (SSL_CTX_load_verify_file(&ctx, file.c_str()) != 1) {
    return std::unexpected(file + ": " + take_failure());
  }
  STACK_OF(X509_NAME)* names = SSL_load_client_CA_file(file.c_str());
  if (!names) return std::unexpected(file + ": " + take_failure());
  SSL_CTX_set_client_CA_list(&ctx, names);  // it is the context's from here on
  return {};
}

Result load_revoked(SSL_CTX& ctx, const std::string& file) {
  X509_STORE* store = SSL_CTX_get_cert_store(&ctx);
  X509_LOOKUP* lookup = X509_STORE_add_lookup(store, X509_LOOKUP_file());
  if (!lookup || X509_load_crl_file(lookup, file.c_str(), X509_FILETYPE_PEM) < 1) {
    return std::unexpected(file + ": " + take_failure());
  }
  X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK);
  return {};
}

// Part of each ticket: one that was given where others were trusted is of no use.
void bind_sessions(SSL_CTX& ctx, const Settings& settings) {
  std::string text = std::to_string(std::to_underlying(settings.verify));
  for (const std::string* path : {&settings.ca_certs, &settings.crl}) {
    text += '\n';
    std::ifstream file(*path, std::ios::binary);
    text.append(std::istreambuf_iterator<char>(file), {});
  }
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  unsigned int size = 0;
  EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha256(), nullptr);
  SSL_CTX_set_session_id_context(&ctx, digest.data(), size);
}

}  // namespace

Result trust(SSL_CTX& ctx, const Settings& settings) {
  bind_sessions(ctx, settings);
  if (settings.verify == Verify::None) {
    SSL_CTX_set_verify(&ctx, SSL_VERIFY_NONE, nullptr);
    return {};
  }
  if (settings.ca_certs.empty()) {
    return std::unexpected(
        "cert_reqs asks for certificates of clients: ca_certs must say "
        "who signs them");
  }
  if (auto loaded = load_authorities(ctx, settings.ca_certs); !loaded) return loaded;
  if (!settings.crl.empty()) {
    if (auto loaded = load_revoked(ctx, settings.crl); !loaded) return loaded;
  }
  const bool required = settings.verify == Verify::Required;
  SSL_CTX_set_verify(&ctx,
                     SSL_VERIFY_PEER | (required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0),
                     nullptr);
  SSL_CTX_set_verify_depth(&ctx, settings.verify_depth);
  return {};
}

}  // namespace celadon::tls
