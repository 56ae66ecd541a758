// A WebSocket of an application's: its messages, by ASGI.
//
//   Connecting ─► Accepted ─► Closed        before it is accepted the application may
//       └► an ordinary answer (403, or its own)            answer as a page does
#pragma once

#include "asgi/outcome.h"
#include "gateway/websocket.h"
#include "py/ref.h"

namespace celadon::asgi {

class Bridge;
class Request;
struct PortObject;
struct Sender;

class Socket final : public gateway::WebSocket {
 public:
  Socket(Request& request, server::Exchange& exchange, Bridge& bridge) noexcept;

  // As Request::receive and Answer::take.
  [[nodiscard]] Outcome receive(py::Object& message) noexcept;
  // What who receives later is told.
  [[nodiscard]] std::uint16_t closed_with() const noexcept {
    return accepted() ? how_it_ended().code : ws::close_code::kLost;
  }
  [[nodiscard]] Outcome take(PyObject* message, const Sender& sender) noexcept;

 private:
  void on_news(News news) noexcept override;
  [[nodiscard]] Outcome accept(PyObject* message, const PortObject& port) noexcept;
  [[nodiscard]] Outcome send_message(PyObject* message, const Sender& sender) noexcept;
  [[nodiscard]] Outcome close_by(PyObject* message, const PortObject& port) noexcept;
  [[nodiscard]] Outcome forbid(PyObject* message) noexcept;

  Request& request_;
  Bridge& bridge_;
  bool connect_told_ = false;
};

}  // namespace celadon::asgi
