// A WebSocket of a synchronous view: a conversation on the tunnel of its exchange, and
// who waits for it (WS11).
//
//   exchange ─► on_body ─► pump ─► Conversation ─► inbox ─► receive()
//                                        └► pongs ─┐
//   exchange ◄─ flush ◄──────────────────── frames ◄─ send(), close()
//
// It is offered until the application first uses it, and an ordinary request as long:
// whoever answers as ever has refused it. What comes while nobody receives is taken at
// the end of the turn, so that pings are answered and an end is heard of.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/out_queue.h"
#include "gateway/websocket.h"
#include "green/hub.h"
#include "server/exchange.h"
#include "ws/conversation.h"
#include "ws/handshake.h"
#include "wsgi/own_fields.h"

namespace celadon::wsgi {

class Bridge;
class Request;

using Message = gateway::Message;

class WebSocket final : private loop::TurnHook, private loop::Timer {
 public:
  WebSocket(Request& request, ws::Handshake handshake) noexcept;
  ~WebSocket() override;

  [[nodiscard]] Bridge& bridge() const noexcept;
  [[nodiscard]] green::Hub& hub() const noexcept;
  // Those that the client offers, in the order of its liking.
  [[nodiscard]] std::vector<std::string_view> subprotocols() const;
  [[nodiscard]] const std::string& subprotocol() const noexcept { return subprotocol_; }
  [[nodiscard]] bool accepted() const noexcept { return conversation_ != nullptr; }
  // It was open, and nothing can be sent any more; messages may wait.
  [[nodiscard]] bool has_closed() const noexcept { return accepted() && !is_open(); }
  [[nodiscard]] bool has_messages() const noexcept { return !inbox_.empty(); }

  // What the application calls. They suspend its greenlet alone; one at a time may
  // receive, any number may send. False with an exception, and then nothing was sent.
  [[nodiscard]] bool accept(std::string_view subprotocol,
                            const OwnFields& fields) noexcept;
  // Nothing: none comes any more.
  [[nodiscard]] bool receive(std::optional<Message>& out) noexcept;
  [[nodiscard]] bool send(bool is_text, std::string_view data) noexcept;
  [[nodiscard]] bool close(std::uint16_t code, std::string_view reason) noexcept;
  // It has returned, or raised: closes, and mostly waits for the peer's answer to that.
  enum class Answer : std::uint8_t { Awaited, Unheard };
  void end(std::uint16_t code, Answer answer) noexcept;

  // What the exchange tells.
  void on_body() noexcept;
  void on_writable() noexcept;
  // Whether somebody hears of it, or need not any more.
  [[nodiscard]] bool on_gone() noexcept;
  void on_closing(server::Closing how) noexcept;

 private:
  // Turn: for no event, but behind others.
  enum Side : std::uint8_t { In, Out, End, Turn };

  void on_turn_end() noexcept override;
  void on_timer() noexcept override;

  void look_soon() noexcept;
  void look() noexcept;
  void pump() noexcept;
  void take(const ws::Event& event);
  void note_end_of_body() noexcept;
  void flush(net::Leave leave) noexcept;
  void lose() noexcept;
  void end_transport() noexcept;
  void rearm() noexcept;
  [[nodiscard]] bool is_open() const noexcept {
    return conversation_->state() == ws::State::Open;
  }
  [[nodiscard]] bool is_full() const noexcept;
  // The peer is not silent: it is not read. (Nor does the connection read on while its
  // output is full.)
  [[nodiscard]] bool rests() const noexcept {
    return is_open() && (pauses_ || blocked_);
  }
  [[nodiscard]] bool accept_first() noexcept { return accepted() || accept({}, {}); }
  [[nodiscard]] bool may_accept(std::string_view subprotocol,
                                const OwnFields& fields) const noexcept;
  [[nodiscard]] Nanos now() const noexcept;
  [[nodiscard]] bool raise_closed() noexcept;
  void log_fault() noexcept;
  void wake(Side side) noexcept;
  void wake_all() noexcept;
  [[nodiscard]] bool waits(Side side) const noexcept;
  [[nodiscard]] bool wait_for(Side side) noexcept;
  [[nodiscard]] bool share_time() noexcept;

  Request& request_;
  const gateway::WebSocketOptions& options_;
  ws::Handshake handshake_;  // until it was accepted; its texts are the request's
  std::string subprotocol_;
  std::unique_ptr<ws::Conversation> conversation_;  // once it was accepted
  OutQueue& out_;  // all of them have one: it is empty between two calls
  std::deque<Message> inbox_;
  std::size_t inbox_bytes_ = 0;
  bool pauses_ = false;       // the inbox was full: what came is not looked at
  bool blocked_ = false;      // the client does not take what is sent
  std::uint16_t closes_ = 0;  // the code that the server ends it with
  struct Waiter {
    green::Strand* strand;
    Side side;
  };
  std::vector<Waiter> waiters_;
};

}  // namespace celadon::wsgi
