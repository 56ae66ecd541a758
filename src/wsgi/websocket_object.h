// environ["wsgi.websocket"].
#pragma once

#include <memory>

#include "py/ref.h"
#include "wsgi/websocket.h"

namespace celadon::wsgi {

struct WebSocketObject {
  PyObject_HEAD WebSocket* socket;  // null once the request has ended
  PyObject* environ;                // owned; likewise
  bool told_end;                    // receive() has said that none comes any more
};

// The WebSocket that a request asks for, and what its environ holds of it.
class OfferedSocket {
 public:
  OfferedSocket() noexcept = default;
  ~OfferedSocket() { end(); }
  OfferedSocket(const OfferedSocket&) = delete;
  OfferedSocket& operator=(const OfferedSocket&) = delete;

  // False with an exception.
  [[nodiscard]] bool offer(Request& request, PyObject* environ) noexcept;
  // Cuts the object off.
  void end() noexcept;
  // Null where none was offered.
  [[nodiscard]] WebSocket* get() const noexcept { return socket_.get(); }
  // Likewise, or none was accepted.
  [[nodiscard]] WebSocket* accepted() const noexcept {
    return socket_ && socket_->accepted() ? socket_.get() : nullptr;
  }

 private:
  std::unique_ptr<WebSocket> socket_;
  py::Owned<WebSocketObject> object_;
};

[[nodiscard]] int add_websocket_type(PyObject* module) noexcept;

}  // namespace celadon::wsgi
