#include "tls/issue.h"

#include <arpa/inet.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <array>
#include <cstdint>
#include <utility>

#include "tls/openssl.h"

namespace celadon::tls {
namespace {

using Key = Owned<EVP_PKEY, EVP_PKEY_free>;

struct Signer {
  X509& cert;
  EVP_PKEY& key;
};

std::unexpected<std::string> failed() {
  return std::unexpected(take_failure());
}

bool set_serial(X509& cert) {
  std::uint64_t number = 0;
  if (RAND_bytes(reinterpret_cast<unsigned char*>(&number), sizeof number) != 1) {
    return false;
  }
  // Positive (RFC 5280 4.1.2.2).
  return ASN1_INTEGER_set_uint64(X509_get_serialNumber(&cert), (number >> 1) | 1) == 1;
}

// A clock that is somewhat behind takes it as well.
bool set_times(X509& cert, int days) {
  constexpr long kHour = 60L * 60;
  return X509_gmtime_adj(X509_getm_notBefore(&cert), -kHour) &&
         X509_gmtime_adj(X509_getm_notAfter(&cert), days * 24 * kHour);
}

bool set_name(X509& cert, const std::string& name) {
  constexpr std::size_t kLongest = 64;  // X.520; the names of a server are elsewhere
  X509_NAME* subject = X509_get_subject_name(&cert);
  const auto add = [subject](const char* field, const std::string& text) {
    return X509_NAME_add_entry_by_txt(
               subject, field, MBSTRING_UTF8,
               reinterpret_cast<const unsigned char*>(text.data()),
               static_cast<int>(text.size()), -1, 0) == 1;
  };
  return add("O", "celadon, for development") && add("CN", name.substr(0, kLongest));
}

bool add_extension(X509& cert, X509& issuer, int kind, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, &issuer, &cert, nullptr, nullptr, 0);
  X509_EXTENSION* made = X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str());
  if (!made) return false;
  const bool added = X509_add_ext(&cert, made, -1) == 1;
  X509_EXTENSION_free(made);
  return added;
}

bool is_address(const std::string& name) {
  std::array<unsigned char, sizeof(in6_addr)> bytes;
  return ::inet_pton(AF_INET, name.c_str(), bytes.data()) == 1 ||
         ::inet_pton(AF_INET6, name.c_str(), bytes.data()) == 1;
}

std::string alternatives(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) {
    if (!text.empty()) text += ',';
    text += (is_address(name) ? "IP:" : "DNS:") + name;
  }
  return text;
}

// All of it but its extensions and its signature.
Certificate begin(EVP_PKEY& key, const std::string& name, int days) {
  Certificate cert(X509_new());
  const bool good = cert && X509_set_version(cert.get(), X509_VERSION_3) == 1 &&
                    set_serial(*cert) && set_times(*cert, days) &&
                    set_name(*cert, name) && X509_set_pubkey(cert.get(), &key) == 1;
  return good ? std::move(cert) : nullptr;
}

bool sign(X509& cert, const Signer& by) {
  return X509_set_issuer_name(&cert, X509_get_subject_name(&by.cert)) == 1 &&
         X509_sign(&cert, &by.key, EVP_sha256()) != 0;
}

std::expected<PemPair, std::string> in_pem(X509& cert, EVP_PKEY& key) {
  const Bio text(BIO_new(BIO_s_mem()));
  if (!text || PEM_write_bio_PrivateKey(text.get(), &key, nullptr, nullptr, 0, nullptr,
                                        nullptr) != 1) {
    return failed();
  }
  return PemPair{pem_of(cert), text_in(*text)};
}

Bio reader(const std::string& text) {
  return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

}  // namespace

std::expected<PemPair, std::string> make_authority(const std::string& name, int days) {
  const OwnFailures failures;
  const Key key(EVP_EC_gen("P-256"));
  if (!key) return failed();
  const Certificate cert = begin(*key, name, days);
  const bool good =
      cert && add_extension(*cert, *cert, NID_basic_constraints, "critical,CA:TRUE") &&
      add_extension(*cert, *cert, NID_key_usage, "critical,keyCertSign,cRLSign") &&
      add_extension(*cert, *cert, NID_subject_key_identifier, "hash") &&
      sign(*cert, {*cert, *key});
  return good ? in_pem(*cert, *key) : failed();
}

std::expected<PemPair, std::string> sign_for(const PemPair& authority,
                                             const std::vector<std::string>& names,
                                             int days) {
  const OwnFailures failures;
  const Bio its_cert = reader(authority.cert), its_key = reader(authority.key);
  const Certificate issuer(
      PEM_read_bio_X509(its_cert.get(), nullptr, nullptr, nullptr));
  const Key signs(PEM_read_bio_PrivateKey(its_key.get(), nullptr, nullptr, nullptr));
  const Key key(EVP_EC_gen("P-256"));
  if (!issuer || !signs || !key || names.empty()) return failed();
  const Certificate cert = begin(*key, names.front(), days);
  const auto add = [&](int kind, const std::string& value) {
    return add_extension(*cert, *issuer, kind, value);
  };
  const bool good = cert && add(NID_basic_constraints, "critical,CA:FALSE") &&
                    add(NID_key_usage, "critical,digitalSignature") &&
                    add(NID_ext_key_usage, "serverAuth") &&
                    add(NID_subject_alt_name, alternatives(names)) &&
                    add(NID_authority_key_identifier, "keyid") &&
                    sign(*cert, {*issuer, *signs});
  return good ? in_pem(*cert, *key) : failed();
}

}  // namespace celadon::tls
