// A WebSocket on the tunnel of its exchange: what comes and goes, whoever waits for it.
//
//   exchange ─► on_body ─► pump ─► Conversation ─► inbox ─► take
//                                        └► pongs ─┐
//   exchange ◄─ flush ◄──────────────────── frames ◄─ send, close
//
// What comes is looked at where somebody asks, or at the end of the turn, so that pings
// are answered and an end is heard of.
#pragma once

#include <deque>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/out_queue.h"
#include "gateway/bridge.h"
#include "loop/loop.h"
#include "server/exchange.h"
#include "ws/conversation.h"
#include "ws/handshake.h"

namespace celadon::gateway {

struct Message {
  bool is_text;
  std::string data;
};

// Answers a handshake that breaks a rule, or whose origin may not ask (WS01, WS02).
// False: it may be accepted.
[[nodiscard]] bool refuse_handshake(server::Exchange& exchange,
                                    Bridge& bridge) noexcept;

class WebSocket : private loop::TurnHook, private loop::Timer {
 public:
  // `frames`: all of them have one; it is empty between two calls.
  WebSocket(server::Exchange& exchange, Bridge& bridge, ws::DeflatePool& pool,
            OutQueue& frames) noexcept;
  ~WebSocket() override;

  [[nodiscard]] bool accepted() const noexcept { return conversation_ != nullptr; }
  [[nodiscard]] bool is_open() const noexcept {
    return accepted() && conversation_->state() == ws::State::Open;
  }
  // Its transport may end.
  [[nodiscard]] bool is_over() const noexcept {
    return !accepted() || !ws::hears(conversation_->state());
  }
  [[nodiscard]] bool is_blocked() const noexcept { return blocked_ && is_open(); }
  [[nodiscard]] bool offers(std::string_view subprotocol) const;

  // `own`: fields of the application's. False: the answer has begun, or the connection
  // ends with it.
  [[nodiscard]] bool accept(std::string_view subprotocol,
                            std::span<const http::HeaderView> own) noexcept;
  // The next message; false: there is none now.
  [[nodiscard]] bool take(Message& out) noexcept;
  // False: it is closed.
  [[nodiscard]] bool send(bool is_text, std::string_view data) noexcept;
  [[nodiscard]] ws::Refusal close(std::uint16_t code, std::string_view reason) noexcept;
  // What it ended with.
  struct End {
    std::uint16_t code;
    std::string_view reason;
  };
  [[nodiscard]] End how_it_ended() const noexcept;

  void on_body() noexcept { look_soon(); }
  void on_writable() noexcept;
  void on_gone() noexcept;
  void on_closing(server::Closing how) noexcept;

 protected:
  // There is news: messages, room, or the end.
  virtual void on_news() noexcept = 0;

 private:
  void on_turn_end() noexcept override;
  void on_timer() noexcept override;

  void look_soon() noexcept;
  void look() noexcept;
  void pump() noexcept;
  void keep(const ws::Event& event);
  void end_transport() noexcept;
  void flush(net::Leave leave) noexcept;
  void rearm() noexcept;
  void log_fault() noexcept;
  [[nodiscard]] bool is_full() const noexcept;
  // The peer is not silent: it is not read.
  [[nodiscard]] bool rests() const noexcept {
    return is_open() && (pauses_ || blocked_);
  }
  [[nodiscard]] Nanos now() const noexcept;

  server::Exchange& exchange_;
  Bridge& bridge_;
  ws::DeflatePool& pool_;
  std::unique_ptr<ws::Conversation> conversation_;  // once it was accepted
  OutQueue& out_;
  std::deque<Message> inbox_;
  std::size_t inbox_bytes_ = 0;
  bool pauses_ = false;       // the inbox was full: what came is not looked at
  bool blocked_ = false;      // the client does not take what is sent
  std::uint16_t closes_ = 0;  // the code that the server ends it with
  ws::Ending own_;            // by us
};

}  // namespace celadon::gateway
