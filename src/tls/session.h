// TLS between one client and us (RFC 8446, RFC 5246), as a stream uses it.
//
//   Shaking ──► Open ──► Ended
//      └──────────┴────► Failed
//
// Ended: the peer sends no more. Failed: nothing can be opened or sealed.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/machine.h"
#include "net/cipher.h"
#include "tls/context.h"
#include "tls/failure.h"
#include "tls/openssl.h"

namespace celadon::tls {

class Session final : public net::Cipher {
 public:
  enum class State : std::uint8_t { Shaking, Open, Ended, Failed };

  // `counters` hear what the handshake comes to; null: nobody does. They outlive it.
  explicit Session(std::shared_ptr<const Context> context,
                   Counters* counters = nullptr);

  // net::Cipher
  [[nodiscard]] net::Io shake(net::Wire& wire) noexcept override;
  [[nodiscard]] net::Io open(net::Wire& wire, std::span<char> into) noexcept override;
  [[nodiscard]] bool has_more() const noexcept override;
  [[nodiscard]] net::Io seal(net::Wire& wire,
                             std::span<const iovec> pieces) noexcept override;
  void say_goodbye(net::Wire& wire) noexcept override;
  [[nodiscard]] bool met_plain_http() const noexcept override {
    return failure_ == Failure::PlainHttp;
  }

  [[nodiscard]] const net::Secrecy& secrecy() const noexcept override {
    return secrecy_;
  }

  [[nodiscard]] State state() const noexcept { return state_; }
  [[nodiscard]] Failure failure() const noexcept { return failure_; }
  // In OpenSSL's words; empty where nothing has failed.
  [[nodiscard]] const std::string& reason() const noexcept { return reason_; }

  // --- once the handshake is done ---
  [[nodiscard]] std::string_view version() const noexcept;  // `TLSv1.3`
  [[nodiscard]] std::string_view suite() const noexcept;    // in IANA's words
  [[nodiscard]] std::uint16_t suite_id() const noexcept;
  [[nodiscard]] bool resumed() const noexcept;
  // Empty: the client has named none. As it has sent it.
  [[nodiscard]] std::string_view server_name() const noexcept;
  [[nodiscard]] std::string_view protocol() const noexcept;  // ALPN's; or empty
  // The client's, which is trusted; null: it has none.
  [[nodiscard]] Certificate client_certificate() const noexcept;

 private:
  class Use;
  [[nodiscard]] net::Io judge(int result) noexcept;
  [[nodiscard]] net::Io judge_input(int result) noexcept;
  [[nodiscard]] net::Io fail(Failure failure, std::string reason) noexcept;
  [[nodiscard]] bool write(std::string_view bytes) noexcept;
  void note_first(std::string_view bytes) noexcept;
  void set_state(State to) noexcept;

  static int on_read(BIO* bio, char* into, std::size_t size, std::size_t* got) noexcept;
  static int on_write(BIO* bio, const char* bytes, std::size_t size,
                      std::size_t* put) noexcept;
  static long on_control(BIO* bio, int command, long number, void* pointer) noexcept;
  static void on_message(int writes, int version, int kind, const void* bytes,
                         std::size_t size, SSL* ssl, void* self) noexcept;
  [[nodiscard]] static BIO_METHOD* method() noexcept;

  void note_done() noexcept;
  void note_failure() noexcept;

  std::shared_ptr<const Context> context_;  // OpenSSL calls it
  Counters* const counters_;
  Ssl ssl_;
  net::Wire* wire_ = nullptr;  // only within a call
  net::Io last_{};             // what the wire said last
  State state_ = State::Shaking;
  Failure failure_ = Failure::None;
  std::uint8_t new_keys_ = 0;  // KeyUpdates since the last byte for us
  std::uint8_t seen_ = 0;
  std::array<char, 8> first_{};  // the first bytes of the peer, `seen_` of them
  std::string reason_;
  net::Secrecy secrecy_;
};

inline constexpr Edge<Session::State> kSessionEdges[]{
    {Session::State::Shaking, Session::State::Open},
    {Session::State::Shaking, Session::State::Failed},
    {Session::State::Open, Session::State::Ended},
    {Session::State::Open, Session::State::Failed},
    {Session::State::Ended, Session::State::Failed},
};

}  // namespace celadon::tls
