#include "tls/context.h"

#include <gtest/gtest.h>

#include <ctime>
#include <fstream>
#include <iterator>
#include <string>

#include "certificates.h"

namespace celadon::tls {
namespace {

class TlsContext : public testing::Test {
 protected:
  // What is wrong with the settings; empty: nothing.
  std::string fault() {
    auto loaded = Context::load(settings, nullptr, std::time(nullptr));
    return loaded ? "" : loaded.error();
  }
  void give(const std::string& cert, const std::string& key) {
    settings.pairs = {{cert, key}};
  }
  Folder folder;
  Settings settings;
};

TEST_F(TlsContext, TL05SaysInOneLineWhatIsWrongWithAFile) {
  const Issued one = issue();
  const Issued other = issue();
  const std::string cert = folder.cert("a.pem", one);
  const std::string key = folder.key("a.key", one);
  EXPECT_EQ(fault(), "no certificate is given");

  give(cert + ".not", key);
  EXPECT_EQ(fault(), cert + ".not: No such file or directory");
  give(cert, key + ".not");
  EXPECT_EQ(fault(), key + ".not: No such file or directory");
  give(folder.text("empty.pem", ""), key);
  EXPECT_TRUE(fault().ends_with("empty.pem: has no certificate in PEM")) << fault();
  give(cert, folder.text("empty.key", ""));
  EXPECT_TRUE(fault().ends_with("empty.key: has no private key in PEM")) << fault();
  give(cert, folder.key("other.key", other));
  EXPECT_TRUE(fault().ends_with("other.key: is not the key of " + cert)) << fault();
  give(folder.cert("old.pem", issue({.days = -3})), key);
  EXPECT_NE(fault().find("old.pem: the certificate expired on 20"), std::string::npos)
      << fault();
  const Issued weak = issue({.kind = Kind::WeakRsa});
  give(folder.cert("weak.pem", weak), folder.key("weak.key", weak));
  EXPECT_TRUE(fault().ends_with("weak.pem: is too weak: ee key too small")) << fault();
}

TEST_F(TlsContext, TL07ReadsKeysWithTheirPassword) {
  const Issued one = issue();
  give(folder.cert("a.pem", one), folder.key("a.key", one, "secret"));
  EXPECT_NE(fault().find("keyfile_password is not set"), std::string::npos) << fault();
  settings.password = "wrong";
  EXPECT_NE(fault().find("the password is wrong"), std::string::npos) << fault();
  settings.password = "secret";
  EXPECT_EQ(fault(), "");
}

TEST_F(TlsContext, AcceptsAKeyInTheFileOfItsCertificate) {
  const Issued one = issue();
  std::string both;
  for (const std::string& path :
       {folder.cert("a.pem", one), folder.key("a.key", one)}) {
    std::ifstream file(path);
    both.append(std::istreambuf_iterator<char>(file), {});
  }
  give(folder.text("both.pem", both), "");
  EXPECT_EQ(fault(), "");
}

TEST_F(TlsContext, WantsToKnowWhoSignsForClients) {
  const Issued one = issue();
  give(folder.cert("a.pem", one), folder.key("a.key", one));
  settings.verify = Verify::Required;
  EXPECT_NE(fault().find("ca_certs"), std::string::npos) << fault();
  settings.ca_certs = folder.text("ca.pem", "nothing");
  EXPECT_NE(fault().find("ca.pem"), std::string::npos) << fault();
  const Issued authority = issue({.is_authority = true});
  settings.ca_certs = folder.cert("good.pem", authority);
  EXPECT_EQ(fault(), "");
  settings.crl = folder.text("crl.pem", "nothing");
  EXPECT_NE(fault().find("crl.pem"), std::string::npos) << fault();
}

TEST_F(TlsContext, RefusesCiphersThatThereAreNot) {
  const Issued one = issue();
  give(folder.cert("a.pem", one), folder.key("a.key", one));
  settings.ciphers = "NO-SUCH-CIPHER";
  EXPECT_TRUE(fault().starts_with("ciphers: ")) << fault();
  for (const char* weak : {"eNULL", "aNULL", "eNULL:@SECLEVEL=0"}) {
    settings.ciphers = weak;
    EXPECT_EQ(fault(), "ciphers: none of them is good enough for TLS 1.2") << weak;
  }
  settings.min_version = Version::Tls13;
  EXPECT_EQ(fault(), "") << "they are not asked for then";
}

TEST_F(TlsContext, TellsWhenCertificatesExpire) {
  const Issued one = issue({.names = {"b.example", "a.example"}, .days = 10});
  give(folder.cert("a.pem", one), folder.key("a.key", one));
  auto loaded = Context::load(settings, nullptr, std::time(nullptr));
  ASSERT_TRUE(loaded);
  ASSERT_EQ((*loaded)->expiries().size(), 1U);
  const Expiry& expiry = (*loaded)->expiries().front();
  EXPECT_EQ(expiry.name, "a.example");
  EXPECT_NEAR(static_cast<double>(expiry.at - std::time(nullptr)), 10 * 86400.0, 60.0);
}

}  // namespace
}  // namespace celadon::tls
