// A WebSocket of a synchronous view (WS11): who waits for it, each in a greenlet of its
// own.
//
// It is offered until the application first uses it, and an ordinary request as long:
// whoever answers as ever has refused it.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/websocket.h"
#include "green/hub.h"
#include "wsgi/own_fields.h"

namespace celadon::wsgi {

class Bridge;
class Request;

class WebSocket final : public gateway::WebSocket {
 public:
  explicit WebSocket(Request& request) noexcept;
  ~WebSocket() override;

  [[nodiscard]] Bridge& bridge() const noexcept;
  [[nodiscard]] green::Hub& hub() const noexcept;
  // Those that the client offers, in the order of its liking.
  [[nodiscard]] std::vector<std::string_view> subprotocols() const;
  [[nodiscard]] const std::string& subprotocol() const noexcept { return subprotocol_; }
  // It was open, and nothing can be sent any more; messages may wait.
  [[nodiscard]] bool has_closed() const noexcept { return accepted() && !is_open(); }

  // What the application calls. They suspend its greenlet alone; one at a time may
  // receive, any number may send. False with an exception, and then nothing was sent.
  [[nodiscard]] bool accept(std::string_view subprotocol,
                            const OwnFields& fields) noexcept;
  // Nothing: none comes any more.
  [[nodiscard]] bool receive(std::optional<gateway::Message>& out) noexcept;
  [[nodiscard]] bool send(bool is_text, std::string_view data) noexcept;
  [[nodiscard]] bool close(int code, std::string_view reason) noexcept;
  // It has returned, or raised: waits for the peer's answer to the close, unless it was
  // killed.
  void end(Done how) noexcept;

  // The client left. Whether somebody hears of it, or need not any more.
  [[nodiscard]] bool on_gone() noexcept;

 private:
  // For no news, but behind others.
  static constexpr News kTurn = 0;

  void on_news(News news) noexcept override;
  [[nodiscard]] bool accept_first() noexcept { return accepted() || accept({}, {}); }
  [[nodiscard]] bool share_time() noexcept;
  // For a news of that kind.
  [[nodiscard]] bool wait_for(News news) noexcept;

  Request& request_;
  std::string subprotocol_;
  struct Waiter {
    green::Strand* strand;
    News news;
  };
  std::vector<Waiter> waiters_;
};

}  // namespace celadon::wsgi
