// A WebSocket on the tunnel of its exchange: what comes and goes, whoever waits for it.
// Each rule of its life is here (WS01 to WS09); a bridge says how its application is
// told of news, and how it waits.
//
//   exchange ─► on_body ─► pump ─► Conversation ─► inbox ─► take
//                                        └► pongs ─┐
//   exchange ◄─ flush ◄──────────────────── frames ◄─ send, close
//
// It is offered until the application first uses it, and its request an ordinary one as
// long. What comes is looked at where somebody asks, or at the end of the turn, so that
// pings are answered and an end is heard of. What follows from a change of its state
// (gateway/websocket_state.h) is done in settle().
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <string_view>

#include "gateway/waiting_messages.h"
#include "gateway/websocket_share.h"
#include "gateway/websocket_state.h"
#include "http/response.h"
#include "server/exchange.h"
#include "ws/conversation.h"

namespace celadon::gateway {

// Answers a handshake that breaks a rule, or whose origin may not ask (WS01, WS02).
// False: it may be accepted.
[[nodiscard]] bool refuse_handshake(server::Exchange& exchange,
                                    const WebSocketOptions& options,
                                    net::Leave leave) noexcept;

class WebSocket : private loop::TurnHook, private loop::Timer {
 public:
  WebSocket(server::Exchange& exchange, WebSocketShare& share) noexcept
      : exchange_(exchange), share_(share) {}
  ~WebSocket() override;

  [[nodiscard]] bool accepted() const noexcept { return state_.life != Life::Offered; }
  [[nodiscard]] bool is_open() const noexcept { return state_.life == Life::Open; }
  // Nothing is waited for any more.
  [[nodiscard]] bool is_over() const noexcept {
    return state_.life == Life::Offered || state_.life == Life::Ended;
  }
  [[nodiscard]] bool is_blocked() const noexcept {
    return state_.outlet == Outlet::Blocked;
  }
  [[nodiscard]] bool has_messages() const noexcept { return !inbox_.empty(); }

  // --- what the application does ---

  enum class Objection : std::uint8_t {
    NotOffered,  // the subprotocol
    NotOwn,      // a field that the handshake alone may say
    Late,        // the answer has begun, or the connection ends with it
    Gone,        // the client left
  };
  // Only of one that is offered. Of `own` the fields are the application's, beside
  // those of the 101; an empty subprotocol is none.
  [[nodiscard]] std::expected<void, Objection> accept(
      std::string_view subprotocol, const http::ResponseHead& own) noexcept;

  // All that follows: of one that was accepted.
  // The next message; false: there is none now.
  [[nodiscard]] bool take(Message& out) noexcept;
  // Those that wait are not asked for any more.
  void drop_messages() noexcept { inbox_.clear(); }
  // False: it is closed. Whoever sends waits while it is blocked, before or behind
  // that.
  [[nodiscard]] bool send(bool is_text, std::string_view data,
                          net::Leave leave) noexcept;
  // What had come may still be taken.
  [[nodiscard]] ws::Refusal close(std::uint16_t code, std::string_view reason,
                                  net::Leave leave) noexcept;
  // The application is done with it: it is closed, if it is open.
  enum class Done : std::uint8_t { Returned, Raised, Killed };
  void end(Done how, net::Leave leave) noexcept;
  // What it ended with.
  struct End {
    std::uint16_t code;
    std::string_view reason;
  };
  [[nodiscard]] End how_it_ended() const noexcept;

  // --- what the exchange tells, before it was accepted too ---

  void on_body() noexcept;
  void on_writable() noexcept;
  void on_gone() noexcept;
  void on_closing(server::Closing how) noexcept;

 protected:
  // Bits: there are messages, or none will come; there is room, or there will be none;
  // nothing is heard any more.
  using News = std::uint8_t;
  static constexpr News kIn = 1;
  static constexpr News kOut = 2;
  static constexpr News kOver = 4;
  // Only marks who waits for it.
  virtual void on_news(News news) noexcept = 0;

 private:
  void on_turn_end() noexcept override;
  void on_timer() noexcept override;

  void set_state(WebSocketState to) noexcept;
  void set_inbox(Inbox to) noexcept;
  void look_soon() noexcept;
  void look() noexcept;
  void pump() noexcept;
  void keep(const ws::Event& event);
  [[nodiscard]] ws::Refusal begin_close(std::uint16_t code,
                                        std::string_view reason) noexcept;
  void flush(net::Leave leave) noexcept;
  void settle() noexcept;
  void end_transport() noexcept;
  void rearm() noexcept;
  void log_fault() noexcept;
  [[nodiscard]] bool is_full() const noexcept;
  [[nodiscard]] Nanos now() const noexcept { return share_.loop.now(); }

  server::Exchange& exchange_;
  WebSocketShare& share_;
  std::unique_ptr<ws::Conversation> conversation_;  // once it was accepted
  WaitingMessages inbox_;
  WebSocketState state_;
  std::uint16_t closes_ = 0;  // the code that the server ends it with
  std::uint16_t own_code_ =
      ws::close_code::kLost;  // of our close frame, if that was sent
  std::string own_reason_;    // likewise
};

}  // namespace celadon::gateway
