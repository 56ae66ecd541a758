#include "certificates.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include <fstream>

#include "base/assert.h"

namespace celadon::tls {
namespace {

Key make_key(Kind kind) {
  switch (kind) {
    case Kind::Ecdsa: return Key(EVP_EC_gen("P-256"));
    case Kind::Rsa: return Key(EVP_RSA_gen(2048));
    case Kind::WeakRsa: return Key(EVP_RSA_gen(1024));
  }
  return nullptr;
}

void add_extension(X509& cert, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, &cert, &cert, nullptr, nullptr, 0);
  X509_EXTENSION* extension =
      X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
  CHECK(extension, "an extension that OpenSSL does not take");
  X509_add_ext(&cert, extension, -1);
  X509_EXTENSION_free(extension);
}

std::string alt_names(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) {
    if (!text.empty()) text += ',';
    text += "DNS:" + name;
  }
  return text;
}

void set_common_name(X509_NAME* name, const std::string& text) {
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(text.c_str()), -1,
                             -1, 0);
}

Bio to_file(const std::string& path) {
  Bio file(BIO_new_file(path.c_str(), "w"));
  CHECK(file, "no file for a certificate");
  return file;
}

}  // namespace

Issued issue(const Wanted& wanted) {
  static long serial = 1;
  Issued made{Certificate(X509_new()), make_key(wanted.kind)};
  X509& cert = *made.cert;
  X509_set_version(&cert, X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(&cert), ++serial);
  constexpr long kDay = 24L * 60 * 60;
  X509_gmtime_adj(X509_getm_notBefore(&cert), -40 * kDay);
  X509_gmtime_adj(X509_getm_notAfter(&cert), wanted.days * kDay);
  set_common_name(X509_get_subject_name(&cert),
                  wanted.is_authority ? "authority " + std::to_string(serial)
                                      : wanted.names.front());
  const X509& issuer = wanted.by ? *wanted.by->cert : cert;
  X509_set_issuer_name(&cert, X509_get_subject_name(&issuer));
  X509_set_pubkey(&cert, made.key.get());
  if (wanted.is_authority) {
    add_extension(cert, NID_basic_constraints, "critical,CA:TRUE");
    add_extension(cert, NID_key_usage, "critical,keyCertSign,cRLSign");
  } else {
    add_extension(cert, NID_subject_alt_name, alt_names(wanted.names));
  }
  EVP_PKEY* signer = wanted.by ? wanted.by->key.get() : made.key.get();
  CHECK(X509_sign(&cert, signer, EVP_sha256()) > 0, "a certificate is not signed");
  return made;
}

Folder::Folder() {
  std::string name =
      (std::filesystem::temp_directory_path() / "celadon-tls-XXXXXX").string();
  CHECK(::mkdtemp(name.data()), "no folder for certificates");
  folder_ = name;
}

Folder::~Folder() {
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

std::string Folder::cert(const std::string& name, const Issued& issued) const {
  PEM_write_bio_X509(to_file(path(name)).get(), issued.cert.get());
  return path(name);
}

std::string Folder::key(const std::string& name, const Issued& issued,
                        const std::string& password) const {
  const EVP_CIPHER* cipher = password.empty() ? nullptr : EVP_aes_128_cbc();
  PEM_write_bio_PrivateKey(to_file(path(name)).get(), issued.key.get(), cipher,
                           reinterpret_cast<const unsigned char*>(password.data()),
                           static_cast<int>(password.size()), nullptr, nullptr);
  return path(name);
}

std::string Folder::revoked(const std::string& name, const Issued& by,
                            const Issued& whom) const {
  const Owned<X509_CRL, X509_CRL_free> list(X509_CRL_new());
  X509_CRL_set_version(list.get(), X509_CRL_VERSION_2);
  X509_CRL_set_issuer_name(list.get(), X509_get_subject_name(by.cert.get()));
  const Owned<ASN1_TIME, ASN1_TIME_free> now(X509_gmtime_adj(nullptr, -60));
  const Owned<ASN1_TIME, ASN1_TIME_free> next(X509_gmtime_adj(nullptr, 86400));
  X509_CRL_set1_lastUpdate(list.get(), now.get());
  X509_CRL_set1_nextUpdate(list.get(), next.get());
  X509_REVOKED* entry = X509_REVOKED_new();
  X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber(whom.cert.get()));
  X509_REVOKED_set_revocationDate(entry, now.get());
  X509_CRL_add0_revoked(list.get(), entry);
  X509_CRL_sort(list.get());
  X509_CRL_sign(list.get(), by.key.get(), EVP_sha256());
  PEM_write_bio_X509_CRL(to_file(path(name)).get(), list.get());
  return path(name);
}

std::string Folder::text(const std::string& name, const std::string& text) const {
  std::ofstream(path(name)) << text;
  return path(name);
}

}  // namespace celadon::tls
