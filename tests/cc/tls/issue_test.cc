#include "tls/issue.h"

#include <gtest/gtest.h>
#include <openssl/pem.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include <ctime>
#include <string>

#include "certificates.h"
#include "tls/context.h"
#include "tls/names.h"
#include "tls/openssl.h"

namespace celadon::tls {
namespace {

Certificate read(const std::string& pem) {
  const Bio text(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  return Certificate(PEM_read_bio_X509(text.get(), nullptr, nullptr, nullptr));
}

// Whether who trusts `authority` believes that `cert` is a server's.
bool is_believed(X509& cert, X509& authority) {
  const Owned<X509_STORE, X509_STORE_free> store(X509_STORE_new());
  X509_STORE_add_cert(store.get(), &authority);
  X509_STORE_set_flags(store.get(), X509_V_FLAG_X509_STRICT);
  X509_STORE_set_purpose(store.get(), X509_PURPOSE_SSL_SERVER);
  const Owned<X509_STORE_CTX, X509_STORE_CTX_free> context(X509_STORE_CTX_new());
  X509_STORE_CTX_init(context.get(), store.get(), &cert, nullptr);
  return X509_verify_cert(context.get()) == 1;
}

TEST(TlsIssue, AnAuthorityOfOnesOwnSignsForNamesAndAddresses) {
  const auto authority = make_authority("a machine", 10);
  ASSERT_TRUE(authority) << authority.error();
  const auto issued =
      sign_for(*authority, {"shop.test", "*.shop.test", "127.0.0.1", "::1"}, 5);
  ASSERT_TRUE(issued) << issued.error();
  const Certificate cert = read(issued->cert), above = read(authority->cert);
  EXPECT_TRUE(is_believed(*cert, *above));
  const auto other = make_authority("another machine", 10);
  ASSERT_TRUE(other);
  EXPECT_FALSE(is_believed(*cert, *read(other->cert)));
  EXPECT_EQ(names_of(*cert), (std::vector<std::string>{"*.shop.test", "shop.test"}));
  EXPECT_EQ(X509_check_ip_asc(cert.get(), "127.0.0.1", 0), 1);
  EXPECT_EQ(X509_check_ip_asc(cert.get(), "::1", 0), 1);
  EXPECT_EQ(X509_check_ip_asc(cert.get(), "127.0.0.2", 0), 0);
}

TEST(TlsIssue, AServerTakesIt) {
  const auto authority = make_authority("a machine", 10);
  ASSERT_TRUE(authority);
  const auto issued = sign_for(*authority, {"localhost"}, 5);
  ASSERT_TRUE(issued);
  const Folder folder;
  Settings settings;
  settings.pairs = {
      {folder.text("a.pem", issued->cert), folder.text("a.key", issued->key)}};
  const auto loaded = Context::load(settings, nullptr, std::time(nullptr));
  EXPECT_TRUE(loaded) << loaded.error();
}

TEST(TlsIssue, WhatIsNoAuthoritySaysSo) {
  EXPECT_FALSE(sign_for({"nothing", "nothing"}, {"localhost"}, 5));
  const auto authority = make_authority("a machine", 10);
  ASSERT_TRUE(authority);
  EXPECT_FALSE(sign_for(*authority, {}, 5));
}

}  // namespace
}  // namespace celadon::tls
