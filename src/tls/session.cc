#include "tls/session.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/sslerr.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/assert.h"
#include "tls/secrecy.h"

namespace celadon::tls {
namespace {

using net::Io;

constexpr auto kTable = make_edges<Session::State, 4>(kSessionEdges);
constexpr std::size_t kRecord = 16 * 1024;  // RFC 8446 5.1
// What is sealed at once: the kernel may not take it, and then it is held.
constexpr std::size_t kAtOnce = 16 * kRecord;
// A key is good for more than 2^24 records, and each new one costs us an answer.
constexpr std::uint8_t kMostNewKeys = 32;

Failure cause_of(unsigned long code) noexcept {
  if (ERR_GET_LIB(code) != ERR_LIB_SSL) return Failure::Other;
  const int reason = ERR_GET_REASON(code);
  if (reason > SSL_AD_REASON_OFFSET) return Failure::Refused;
  switch (reason) {
    case SSL_R_HTTP_REQUEST:
    case SSL_R_HTTPS_PROXY_REQUEST: return Failure::PlainHttp;
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_BAD_RECORD_TYPE:
    case SSL_R_PACKET_LENGTH_TOO_LONG: return Failure::NotTls;
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_VERSION_TOO_LOW: return Failure::Versions;
    case SSL_R_NO_SHARED_CIPHER:
    case SSL_R_NO_SUITABLE_KEY_SHARE:
    case SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM:
    case SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS: return Failure::Ciphers;
    case SSL_R_NO_APPLICATION_PROTOCOL: return Failure::Protocols;
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
    case SSL_R_CERTIFICATE_VERIFY_FAILED: return Failure::ClientCert;
    case SSL_R_CALLBACK_FAILED: return Failure::Names;
    default: return Failure::Other;
  }
}

// How a request begins, of which OpenSSL knows the four methods that are the commonest.
bool is_plain_http(std::string_view first) noexcept {
  const std::size_t size = first.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ");
  constexpr std::size_t kShortest = 3;
  if (size == first.npos) return first.size() >= kShortest;
  return size >= kShortest && first[size] == ' ';
}

}  // namespace

// The wire is there for a call.
class Session::Use {
 public:
  Use(Session& session, net::Wire& wire) noexcept : session_(session) {
    session.wire_ = &wire;
    session.last_ = {};
  }
  ~Use() { session_.wire_ = nullptr; }
  Use(const Use&) = delete;
  Use& operator=(const Use&) = delete;

 private:
  Session& session_;
  OwnFailures failures_;
};

Session::Session(std::shared_ptr<const Context> context, Counters* counters)
    : context_(std::move(context)),
      counters_(counters),
      ssl_(SSL_new(&context_->standard())) {
  BIO* bio = BIO_new(method());
  CHECK(ssl_ && bio, "no memory for a TLS session");
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl_.get(), bio, bio);  // it is the session's from here on
  SSL_set_accept_state(ssl_.get());
  SSL_set_msg_callback(ssl_.get(), on_message);
  SSL_set_msg_callback_arg(ssl_.get(), this);
}

void Session::set_state(State to) noexcept {
  if (state_ == to) return;
  CHECK(kTable.has(state_, to), "illegal step of a TLS session");
  state_ = to;
}

Io Session::shake(net::Wire& wire) noexcept {
  if (state_ != State::Shaking) return {};
  const Use use(*this, wire);
  const int result = SSL_do_handshake(ssl_.get());
  if (result == 1) {
    set_state(State::Open);
    note_done();
    return {};
  }
  Io io = judge(result);
  if (io.step == Io::Step::Eof) io = fail(Failure::Left, "the peer has gone");
  if (io.step == Io::Step::Failed) note_failure();
  return io;
}

void Session::note_done() noexcept {
  secrecy_ = secrecy_of(*ssl_, *context_);
  if (!counters_) return;
  const std::size_t version = SSL_version(ssl_.get()) == TLS1_3_VERSION ? 1 : 0;
  ++counters_->done[version][resumed() ? 1 : 0];
}

void Session::note_failure() noexcept {
  if (counters_) ++counters_->failed[static_cast<std::size_t>(failure_)];
}

Io Session::open(net::Wire& wire, std::span<char> into) noexcept {
  if (state_ == State::Ended) return {Io::Step::Eof};
  if (state_ != State::Open) return {Io::Step::Failed, Error::BadTls};
  const Use use(*this, wire);
  std::size_t filled = 0;
  while (true) {
    std::size_t got = 0;
    const int result =
        SSL_read_ex(ssl_.get(), into.data() + filled, into.size() - filled, &got);
    if (result != 1) {
      const Io io = judge_input(result);
      // What is wrong, or ends, behind these bytes is told next.
      if (filled == 0) return io;
      break;
    }
    new_keys_ = 0;
    filled += got;
    if (filled == into.size() || SSL_has_pending(ssl_.get()) == 0) break;
  }
  return {Io::Step::Done, Error::Other, filled};
}

Io Session::judge_input(int result) noexcept {
  if (new_keys_ > kMostNewKeys) return fail(Failure::Other, "too many new keys");
  const Io io = judge(result);
  if (io.step == Io::Step::Eof) set_state(State::Ended);
  return io;
}

// Of a call that has not done what it was for.
Io Session::judge(int result) noexcept {
  switch (SSL_get_error(ssl_.get(), result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE: return {Io::Step::Again};
    case SSL_ERROR_ZERO_RETURN: return {Io::Step::Eof};
    default: break;
  }
  if (last_.step == Io::Step::Failed) {
    set_state(State::Failed);
    failure_ = Failure::Left;
    return last_;
  }
  const unsigned long code = ERR_peek_error();
  if (code == 0) return {Io::Step::Eof};
  Failure cause = cause_of(code);
  if (cause == Failure::NotTls && is_plain_http({first_.data(), seen_})) {
    cause = Failure::PlainHttp;
  }
  return fail(cause, take_failure());
}

Io Session::fail(Failure failure, std::string reason) noexcept {
  set_state(State::Failed);
  failure_ = failure;
  reason_ = std::move(reason);
  return {Io::Step::Failed, Error::BadTls};
}

void Session::note_first(std::string_view bytes) noexcept {
  const std::size_t n = std::min(bytes.size(), first_.size() - seen_);
  std::copy_n(bytes.data(), n, first_.data() + seen_);
  seen_ = static_cast<std::uint8_t>(seen_ + n);
}

// The poller may know nothing of an end either.
bool Session::has_more() const noexcept {
  if (state_ == State::Open) return SSL_has_pending(ssl_.get()) == 1;
  return state_ != State::Shaking;
}

bool Session::write(std::string_view bytes) noexcept {
  return bytes.empty() ||
         SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size())) > 0;
}

// Small pieces share a record. The wire takes everything, so nothing is left half-way.
Io Session::seal(net::Wire& wire, std::span<const iovec> pieces) noexcept {
  if (state_ != State::Open && state_ != State::Ended) {
    return {Io::Step::Failed, Error::BadTls};
  }
  const Use use(*this, wire);
  std::array<char, kRecord> together;
  std::size_t filled = 0;
  std::size_t taken = 0;
  bool good = true;
  for (const iovec& piece : pieces) {
    std::string_view rest(static_cast<const char*>(piece.iov_base), piece.iov_len);
    while (good && !rest.empty() && taken < kAtOnce) {
      const bool alone = filled == 0 && rest.size() >= kRecord;
      const std::size_t n = std::min(rest.size(), kRecord - filled);
      if (!alone) {
        std::copy_n(rest.data(), n, together.data() + filled);
        filled += n;
      }
      if (alone) {
        good = write(rest.substr(0, n));
      } else if (filled == kRecord) {
        good = write({together.data(), std::exchange(filled, 0)});
      }
      rest.remove_prefix(n);
      taken += n;
    }
  }
  if (good) good = write({together.data(), filled});
  if (!good) return fail(Failure::Other, take_failure());
  return {Io::Step::Done, Error::Other, taken};
}

void Session::say_goodbye(net::Wire& wire) noexcept {
  if (state_ != State::Open && state_ != State::Ended) return;
  const Use use(*this, wire);
  [[maybe_unused]] const int done = SSL_shutdown(ssl_.get());
}

// --- what it came to ---

std::string_view Session::version() const noexcept {
  return SSL_get_version(ssl_.get());
}

std::string_view Session::suite() const noexcept {
  const SSL_CIPHER* cipher = SSL_get_current_cipher(ssl_.get());
  const char* name = cipher ? SSL_CIPHER_standard_name(cipher) : nullptr;
  return name ? name : "";
}

std::uint16_t Session::suite_id() const noexcept {
  const SSL_CIPHER* cipher = SSL_get_current_cipher(ssl_.get());
  return cipher ? SSL_CIPHER_get_protocol_id(cipher) : std::uint16_t{0};
}

bool Session::resumed() const noexcept {
  return SSL_session_reused(ssl_.get()) == 1;
}

std::string_view Session::server_name() const noexcept {
  const char* name = SSL_get_servername(ssl_.get(), TLSEXT_NAMETYPE_host_name);
  return name ? name : "";
}

std::string_view Session::protocol() const noexcept {
  const unsigned char* name = nullptr;
  unsigned int size = 0;
  SSL_get0_alpn_selected(ssl_.get(), &name, &size);
  return {reinterpret_cast<const char*>(name), size};
}

Certificate Session::client_certificate() const noexcept {
  return Certificate(SSL_get1_peer_certificate(ssl_.get()));
}

// --- what OpenSSL calls ---

int Session::on_read(BIO* bio, char* into, std::size_t size,
                     std::size_t* got) noexcept {
  auto& session = *static_cast<Session*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  *got = 0;
  if (!session.wire_ || session.new_keys_ > kMostNewKeys) return 0;
  session.last_ = session.wire_->receive({into, size});
  if (session.last_.step == Io::Step::Again) BIO_set_retry_read(bio);
  *got = session.last_.bytes;
  if (session.seen_ < session.first_.size()) session.note_first({into, *got});
  return session.last_.step == Io::Step::Done ? 1 : 0;
}

int Session::on_write(BIO* bio, const char* bytes, std::size_t size,
                      std::size_t* put) noexcept {
  auto& session = *static_cast<Session*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  *put = size;
  if (session.wire_) session.wire_->transmit({bytes, size});
  return 1;
}

long Session::on_control(BIO* bio, int command, long, void*) noexcept {
  auto& session = *static_cast<Session*>(BIO_get_data(bio));
  switch (command) {
    case BIO_CTRL_FLUSH: return 1;
    case BIO_CTRL_EOF: return session.last_.step == Io::Step::Eof ? 1 : 0;
    default: return 0;
  }
}

void Session::on_message(int writes, int, int kind, const void* bytes, std::size_t size,
                         SSL*, void* self) noexcept {
  if (writes || kind != SSL3_RT_HANDSHAKE || size == 0) return;
  auto& session = *static_cast<Session*>(self);
  if (*static_cast<const unsigned char*>(bytes) != SSL3_MT_KEY_UPDATE) return;
  if (session.new_keys_ <= kMostNewKeys) ++session.new_keys_;
}

BIO_METHOD* Session::method() noexcept {
  static BIO_METHOD* const made = [] {
    BIO_METHOD* m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "celadon");
    CHECK(m, "no memory for TLS");
    BIO_meth_set_read_ex(m, on_read);
    BIO_meth_set_write_ex(m, on_write);
    BIO_meth_set_ctrl(m, on_control);
    return m;
  }();
  return made;
}

}  // namespace celadon::tls
