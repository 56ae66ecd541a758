#include "tls/session.h"

#include <gtest/gtest.h>
#include <openssl/err.h>

#include <array>
#include <ctime>
#include <string>
#include <vector>

#include "certificates.h"
#include "client.h"

namespace celadon::tls {
namespace {

using Step = net::Io::Step;

class TlsSession : public testing::Test {
 protected:
  void add(const Issued& issued, const std::string& name = "one") {
    settings.pairs.push_back(
        {folder.cert(name + ".pem", issued), folder.key(name + ".key", issued)});
  }
  // What is in the settings by now.
  std::shared_ptr<const Context> load() {
    auto loaded = Context::load(settings, keys, std::time(nullptr));
    EXPECT_TRUE(loaded) << loaded.error();
    return std::shared_ptr<const Context>(std::move(*loaded));
  }
  bool shake(const std::string& name = {}) {
    session = std::make_unique<Session>(context ? context : load());
    wire = {};
    client.begin(name);
    return client.shake(*session, wire);
  }
  std::string open(std::size_t most = 4096) {
    std::string into(most, 0);
    const net::Io io = session->open(wire, into);
    step = io.step;
    into.resize(io.bytes);
    return into;
  }
  void seal(std::vector<std::string> texts) {
    std::vector<iovec> pieces;
    for (std::string& text : texts) pieces.push_back({text.data(), text.size()});
    EXPECT_EQ(session->seal(wire, pieces).step, Step::Done);
  }
  std::string peer_name() {
    const Certificate cert(SSL_get1_peer_certificate(&client.ssl()));
    std::array<char, 256> text{};
    X509_NAME_get_text_by_NID(X509_get_subject_name(cert.get()), NID_commonName,
                              text.data(), text.size());
    return text.data();
  }

  Folder folder;
  Settings settings;
  const TicketKeys* keys = nullptr;
  std::shared_ptr<const Context> context;
  std::unique_ptr<Session> session;
  Client client;
  Strings wire;
  Step step = Step::Done;
};

TEST_F(TlsSession, CarriesBytesBothWays) {
  add(issue());
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    SSL_CTX_set_max_proto_version(&client.ctx(), version);
    ASSERT_TRUE(shake());
    client.write(wire, "ping");
    EXPECT_EQ(open(), "ping");
    EXPECT_EQ(open(), "");
    EXPECT_EQ(step, Step::Again);
    seal({"po", "ng"});
    EXPECT_EQ(client.read(wire), "pong");
    EXPECT_EQ(session->version(), version == TLS1_2_VERSION ? "TLSv1.2" : "TLSv1.3");
    EXPECT_NE(session->suite_id(), 0);
    EXPECT_TRUE(session->suite().starts_with("TLS_"));
  }
}

TEST_F(TlsSession, TL01TakesNoVersionBelowItsOwn) {
  add(issue());
  SSL_CTX_set_max_proto_version(&client.ctx(), TLS1_1_VERSION);
  EXPECT_FALSE(shake());
  EXPECT_EQ(session->failure(), Failure::Versions);
  EXPECT_EQ(session->state(), Session::State::Failed);

  settings.min_version = Version::Tls13;
  SSL_CTX_set_max_proto_version(&client.ctx(), TLS1_2_VERSION);
  EXPECT_FALSE(shake());
  EXPECT_EQ(session->failure(), Failure::Versions);
}

TEST_F(TlsSession, TL01TakesOnlyCiphersThatKeepSecrets) {
  add(issue({.kind = Kind::Rsa}));
  SSL_CTX_set_max_proto_version(&client.ctx(), TLS1_2_VERSION);
  for (const char* old : {"AES128-GCM-SHA256", "ECDHE-RSA-AES128-SHA", "AES256-SHA"}) {
    SSL_CTX_set_cipher_list(&client.ctx(), old);
    EXPECT_FALSE(shake()) << old;
    EXPECT_EQ(session->failure(), Failure::Ciphers) << old;
  }
}

TEST_F(TlsSession, TL03ChoosesTheCertificateByTheName) {
  add(issue({.names = {"first.example"}}), "first");
  add(issue({.names = {"www.example.org", "example.org"}}), "exact");
  add(issue({.names = {"*.example.org"}}), "star");
  context = load();
  const std::array<std::pair<std::string, std::string>, 7> cases{{
      {"", "first.example"},
      {"unknown.example", "first.example"},
      {"example.org", "www.example.org"},
      {"WWW.Example.ORG", "www.example.org"},
      {"a.example.org", "*.example.org"},
      {"a.b.example.org", "first.example"},
      {"first.example", "first.example"},
  }};
  for (const auto& [asked, got] : cases) {
    ASSERT_TRUE(shake(asked)) << asked;
    EXPECT_EQ(peer_name(), got) << asked;
    EXPECT_EQ(session->server_name(), asked);
  }
}

TEST_F(TlsSession, TL03RefusesUnknownNamesWhereItIsStrict) {
  add(issue({.names = {"known.example"}}));
  settings.strict_names = true;
  EXPECT_TRUE(shake("known.example"));
  EXPECT_TRUE(shake()) << "who names nobody gets the first";
  EXPECT_FALSE(shake("unknown.example"));
  EXPECT_EQ(session->failure(), Failure::Names);
}

TEST_F(TlsSession, TL03GivesEachClientTheKindOfKeyThatItKnows) {
  add(issue({.kind = Kind::Rsa}), "rsa");
  add(issue({.kind = Kind::Ecdsa}), "ecdsa");
  context = load();
  const std::array<std::pair<const char*, int>, 2> cases{{
      {"ECDSA+SHA256", EVP_PKEY_EC},
      {"RSA-PSS+SHA256", EVP_PKEY_RSA},
  }};
  for (const auto& [signatures, kind] : cases) {
    SSL_CTX_set1_sigalgs_list(&client.ctx(), signatures);
    ASSERT_TRUE(shake("localhost")) << signatures;
    const Certificate cert(SSL_get1_peer_certificate(&client.ssl()));
    EXPECT_EQ(EVP_PKEY_get_base_id(X509_get0_pubkey(cert.get())), kind);
  }
}

TEST_F(TlsSession, TL02AgreesOnAProtocolInOurOrder) {
  add(issue());
  settings.protocols = {"h2", "http/1.1"};
  const std::string both("\x08http/1.1\x02h2", 12);
  const std::string none(
      "\x03"
      "foo",
      4);
  const auto offer = [&](const std::string& wire_form) {
    SSL_CTX_set_alpn_protos(&client.ctx(),
                            reinterpret_cast<const unsigned char*>(wire_form.data()),
                            static_cast<unsigned int>(wire_form.size()));
  };
  ASSERT_TRUE(shake());
  EXPECT_EQ(session->protocol(), "");
  offer(both);
  ASSERT_TRUE(shake());
  EXPECT_EQ(session->protocol(), "h2");
  settings.protocols = {"http/1.1"};
  ASSERT_TRUE(shake());
  EXPECT_EQ(session->protocol(), "http/1.1");
  offer(none);
  EXPECT_FALSE(shake());
  EXPECT_EQ(session->failure(), Failure::Protocols);
}

TEST_F(TlsSession, KnowsPlainHttpAndOtherBytes) {
  add(issue());
  context = load();
  const std::array<std::pair<std::string, Failure>, 6> cases{{
      {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", Failure::PlainHttp},
      {"POST /x HTTP/1.0\r\n\r\n", Failure::PlainHttp},
      {"DELETE /x HTTP/1.1\r\n\r\n", Failure::PlainHttp},
      {"PROPFIND /x HTTP/1.1\r\n\r\n", Failure::PlainHttp},
      {"SSH-2.0-OpenSSH_9.2p1\r\n", Failure::NotTls},
      {std::string(64, '\xff'), Failure::NotTls},
  }};
  for (const auto& [bytes, failure] : cases) {
    Session other(context);
    Strings its;
    its.up = bytes;
    EXPECT_EQ(other.shake(its).step, Step::Failed);
    EXPECT_EQ(describe(other.failure()), describe(failure));
    EXPECT_NE(other.reason(), "");
  }
}

TEST_F(TlsSession, TL04AsksForTheClientsCertificate) {
  const Issued authority = issue({.is_authority = true});
  const Issued other = issue({.is_authority = true});
  const Issued good = issue({.names = {"anna"}, .by = &authority});
  const Issued revoked = issue({.names = {"boris"}, .by = &authority});
  const Issued expired = issue({.names = {"cleo"}, .days = -1, .by = &authority});
  const Issued foreign = issue({.names = {"dora"}, .by = &other});
  add(issue());
  settings.ca_certs = folder.cert("ca.pem", authority);
  settings.crl = folder.revoked("crl.pem", authority, revoked);
  settings.verify = Verify::Required;
  context = load();

  EXPECT_FALSE(shake());
  EXPECT_EQ(session->failure(), Failure::ClientCert);
  for (const Issued* bad : {&revoked, &expired, &foreign}) {
    SSL_CTX_use_certificate(&client.ctx(), bad->cert.get());
    SSL_CTX_use_PrivateKey(&client.ctx(), bad->key.get());
    EXPECT_FALSE(shake());
    EXPECT_EQ(session->failure(), Failure::ClientCert);
  }
  SSL_CTX_use_certificate(&client.ctx(), good.cert.get());
  SSL_CTX_use_PrivateKey(&client.ctx(), good.key.get());
  ASSERT_TRUE(shake());
  const Certificate seen = session->client_certificate();
  ASSERT_TRUE(seen);
  EXPECT_EQ(X509_cmp(seen.get(), good.cert.get()), 0);
  const net::Secrecy& secrecy = session->secrecy();
  EXPECT_TRUE(secrecy.asks_clients);
  EXPECT_EQ(secrecy.client_name, "CN=anna");
  ASSERT_EQ(secrecy.client_chain.size(), 1U);
  EXPECT_EQ(secrecy.client_chain.front(), pem_of(*good.cert));
}

TEST_F(TlsSession, TellsApplicationsWhatItCameTo) {
  const Issued first = issue({.names = {"first.example"}});
  const Issued second = issue({.names = {"second.example"}});
  add(first, "first");
  add(second, "second");
  context = load();
  ASSERT_TRUE(shake());
  EXPECT_EQ(session->secrecy().server_certificate, pem_of(*first.cert));
  ASSERT_TRUE(shake("second.example"));
  EXPECT_EQ(session->secrecy().server_certificate, pem_of(*second.cert));
  EXPECT_EQ(session->secrecy().version, "TLSv1.3");
  EXPECT_EQ(session->secrecy().version_number, 0x0304);
  EXPECT_TRUE(session->secrecy().suite.starts_with("TLS_"));
  EXPECT_EQ(session->secrecy().suite_number >> 8, 0x13);
  EXPECT_FALSE(session->secrecy().asks_clients);
  EXPECT_TRUE(session->secrecy().client_chain.empty());
}

TEST_F(TlsSession, DoesWithoutTheClientsCertificateWhereItIsOptional) {
  const Issued authority = issue({.is_authority = true});
  add(issue());
  settings.ca_certs = folder.cert("ca.pem", authority);
  settings.verify = Verify::Optional;
  ASSERT_TRUE(shake());
  EXPECT_FALSE(session->client_certificate());
}

// --- tickets ---

class TlsTickets : public TlsSession {
 protected:
  void SetUp() override {
    add(issue());
    keys = &shared;
    shared.turn(*TicketKeys::make());
    SSL_CTX_set_session_cache_mode(&client.ctx(), SSL_SESS_CACHE_CLIENT);
  }
  // OpenSSL resumes no session whose end it did not hear.
  void hear_its_end() {
    SSL_set_shutdown(&client.ssl(), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
  }
  // A session that was finished, to be resumed.
  Owned<SSL_SESSION, SSL_SESSION_free> meet() {
    EXPECT_TRUE(shake());
    EXPECT_EQ(client.read(wire), "");  // the ticket comes behind the handshake
    hear_its_end();
    return Owned<SSL_SESSION, SSL_SESSION_free>(SSL_get1_session(&client.ssl()));
  }
  bool resume(SSL_SESSION& past) {
    session = std::make_unique<Session>(load());
    wire = {};
    client.begin();
    // It resumes a session of its own once.
    const Owned<SSL_SESSION, SSL_SESSION_free> copy(SSL_SESSION_dup(&past));
    SSL_set_session(&client.ssl(), copy.get());
    EXPECT_TRUE(client.shake(*session, wire));
    hear_its_end();
    return session->resumed();
  }
  TicketKeys shared;
};

TEST_F(TlsTickets, TL06AreGoodInEveryProcessUntilTheirKeyIsForgotten) {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    SSL_CTX_set_max_proto_version(&client.ctx(), version);
    const auto past = meet();
    EXPECT_TRUE(resume(*past));
    for (std::size_t i = 1; i < TicketKeys::kKept; ++i) {
      shared.turn(*TicketKeys::make());
      EXPECT_TRUE(resume(*past)) << i;
    }
    shared.turn(*TicketKeys::make());
    EXPECT_FALSE(resume(*past));
  }
}

TEST_F(TlsTickets, TL04AreOfNoUseWhereOthersAreTrusted) {
  const auto past = meet();
  const Issued authority = issue({.is_authority = true});
  settings.ca_certs = folder.cert("ca.pem", authority);
  settings.verify = Verify::Optional;
  SSL_CTX_set_max_proto_version(&client.ctx(), TLS1_3_VERSION);
  EXPECT_FALSE(resume(*past));
  const auto next = meet();
  EXPECT_TRUE(resume(*next));
  settings.ca_certs = folder.cert("ca.pem", issue({.is_authority = true}));
  EXPECT_FALSE(resume(*next)) << "the same file, and others in it";
}

TEST_F(TlsTickets, AreNoneWithoutKeys) {
  keys = nullptr;
  const auto past = meet();
  EXPECT_EQ(SSL_SESSION_has_ticket(past.get()), 0);
}

TEST_F(TlsTickets, KeysGetAnotherOnceInTheirTime) {
  TicketKeys turning;
  turning.keep_fresh(kSecond);
  const auto first = turning.current();
  ASSERT_TRUE(first);
  turning.keep_fresh(TicketKeys::kTime);
  EXPECT_EQ(turning.current(), first);
  turning.keep_fresh(kSecond + TicketKeys::kTime);
  EXPECT_NE(turning.current(), first);
}

TEST_F(TlsTickets, KeysAreWholeOrNone) {
  TicketKeys none;
  EXPECT_FALSE(none.current());
  const TicketKey first = *TicketKeys::make();
  none.turn(first);
  EXPECT_EQ(none.current(), first);
  unsigned char name[16];
  std::ranges::copy(first.name, name);
  EXPECT_TRUE(none.find(name)->is_current);
  none.turn(*TicketKeys::make());
  EXPECT_FALSE(none.find(name)->is_current);
  EXPECT_EQ(none.find(name)->key, first);
}

// --- bytes ---

TEST_F(TlsSession, TellsWhatLiesInMemory) {
  add(issue());
  ASSERT_TRUE(shake());
  client.write(wire, "hello ");
  client.write(wire, "world");
  EXPECT_FALSE(session->has_more());
  EXPECT_EQ(open(2), "he");
  EXPECT_TRUE(session->has_more());
  EXPECT_EQ(open(3), "llo");
  EXPECT_TRUE(wire.up.empty()) << "one read takes what came";
  EXPECT_TRUE(session->has_more()) << "a record that nobody has opened";
  EXPECT_EQ(open(100), " world");
  EXPECT_FALSE(session->has_more());
}

TEST_F(TlsSession, OpensWhatComesByteByByte) {
  add(issue());
  ASSERT_TRUE(shake());
  client.write(wire, "slow");
  wire.most = 1;
  std::string all;
  for (int i = 0; i < 100 && all.empty(); ++i) all = open();
  EXPECT_EQ(all, "slow");
}

TEST_F(TlsSession, SealsSmallPiecesAsOneRecordAndManyBytesAsMany) {
  add(issue());
  ASSERT_TRUE(shake());
  EXPECT_EQ(client.read(wire), "");
  seal({"a", "b", std::string(1000, 'c'), "d"});
  EXPECT_LT(wire.down.size(), 1003U + 30U) << "more than one record";
  EXPECT_EQ(client.read(wire).size(), 1003U);

  std::string large(1 << 20, 'x');
  const std::array pieces{iovec{large.data(), large.size()}};
  const net::Io io = session->seal(wire, pieces);
  EXPECT_EQ(io.step, Step::Done);
  EXPECT_GT(io.bytes, 0U);
  EXPECT_LT(io.bytes, large.size()) << "it has a bound";
  EXPECT_EQ(client.read(wire).size(), io.bytes);
}

TEST_F(TlsSession, SaysThatNothingMoreComes) {
  add(issue());
  ASSERT_TRUE(shake());
  session->say_goodbye(wire);
  EXPECT_EQ(client.read(wire), "");
  EXPECT_NE(SSL_get_shutdown(&client.ssl()) & SSL_RECEIVED_SHUTDOWN, 0);
  client.write(wire, "still here");
  EXPECT_EQ(open(), "still here") << "the other way is open";
}

TEST_F(TlsSession, HearsThatThePeerHasEnded) {
  add(issue());
  ASSERT_TRUE(shake());
  client.write(wire, "last");
  SSL_shutdown(&client.ssl());
  client.bring(wire);
  EXPECT_EQ(open(), "last");
  EXPECT_TRUE(session->has_more()) << "its end";
  open();
  EXPECT_EQ(step, Step::Eof);
  seal({"an answer"});  // by a half-close
  ASSERT_TRUE(shake());
  wire.ended = true;  // without a word
  open();
  EXPECT_EQ(step, Step::Eof);
}

TEST_F(TlsSession, TL07EndsWithAPeerThatAsksForNewKeysForEver) {
  add(issue());
  ASSERT_TRUE(shake());
  for (int i = 0; i < 10; ++i) {
    SSL_key_update(&client.ssl(), SSL_KEY_UPDATE_REQUESTED);
    client.write(wire, "x");
    EXPECT_EQ(open(), "x");
    EXPECT_EQ(client.read(wire), "");
  }
  for (int i = 0; i < 60 && step != Step::Failed; ++i) {
    SSL_key_update(&client.ssl(), SSL_KEY_UPDATE_NOT_REQUESTED);
    SSL_do_handshake(&client.ssl());
    client.bring(wire);
    open();
  }
  EXPECT_EQ(step, Step::Failed);
}

TEST_F(TlsSession, EndsWithABrokenRecord) {
  add(issue());
  ASSERT_TRUE(shake());
  client.write(wire, "good");
  wire.up[wire.up.size() - 1] ^= 1;
  EXPECT_EQ(open(), "");
  EXPECT_EQ(step, Step::Failed);
  EXPECT_FALSE(wire.down.empty()) << "an alert says so";
}

// Python's ssl looks into the same list.
TEST_F(TlsSession, KeepsItsFailuresToItself) {
  add(issue());
  context = load();
  ERR_clear_error();
  Session other(context);
  Strings its;
  its.up = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
  EXPECT_EQ(other.shake(its).step, Step::Failed);
  EXPECT_EQ(ERR_peek_error(), 0U);

  ASSERT_TRUE(shake());
  ERR_raise(ERR_LIB_USER, 1);
  EXPECT_EQ(open(), "");
  EXPECT_EQ(step, Step::Again) << "what others have left is not its own";
  client.write(wire, "good");
  wire.up[wire.up.size() - 1] ^= 1;
  open();
  EXPECT_EQ(step, Step::Failed);
  EXPECT_EQ(ERR_peek_error(), 0U);
  settings.pairs.front().cert += ".not";
  EXPECT_FALSE(Context::load(settings, keys, std::time(nullptr)));
  EXPECT_EQ(ERR_peek_error(), 0U);
}

TEST_F(TlsSession, CountsWhatHandshakesComeTo) {
  add(issue());
  context = load();
  Counters counters;
  const auto meet = [&](int version) {
    SSL_CTX_set_max_proto_version(&client.ctx(), version);
    Session one(context, &counters);
    Strings its;
    client.begin();
    client.shake(one, its);
  };
  meet(TLS1_2_VERSION);
  meet(TLS1_3_VERSION);
  meet(TLS1_3_VERSION);
  meet(TLS1_1_VERSION);
  EXPECT_EQ(counters.done[0][0], 1U);
  EXPECT_EQ(counters.done[1][0], 2U);
  EXPECT_EQ(counters.failed[static_cast<std::size_t>(Failure::Versions)], 1U);
}

TEST_F(TlsSession, AHandshakeOfWhoLeavesHasFailed) {
  add(issue());
  session = std::make_unique<Session>(load());
  client.begin();
  client.step(wire);
  wire.ended = true;
  EXPECT_EQ(session->shake(wire).step, Step::Failed);
  EXPECT_EQ(session->failure(), Failure::Left);
}

}  // namespace
}  // namespace celadon::tls
