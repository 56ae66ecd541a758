// The WSGI application as the server sees it: a server::App that turns Exchanges into
// jobs for runners.
#pragma once

#include <memory>

#include "base/free_list.h"
#include "gateway/bridge.h"
#include "wsgi/environ.h"
#include "wsgi/responder.h"
#include "wsgi/upgrade.h"
#include "wsgi/websocket.h"

namespace celadon::wsgi {

class Request;

class Bridge final : public gateway::Bridge {
 public:
  // `log_exception(error, environ)`: environ is None where there is none to show.
  Bridge(green::Hub& hub, py::Object app, py::Object log_exception,
         gateway::Options options, LogSink& log) noexcept;
  ~Bridge() override;
  // `make_socket(info)`: what an application gets as its socket, of requests that ask
  // for another protocol.
  [[nodiscard]] bool prepare(PyObject* errors, PyObject* make_socket) noexcept;

  void on_request(server::Exchange& exchange) noexcept override;
  void on_cancel(server::Exchange& exchange) noexcept override;

  [[nodiscard]] EnvironBuilder& environ() noexcept { return environ_; }
  [[nodiscard]] Sockets& sockets() noexcept { return sockets_; }
  [[nodiscard]] bool keeps_memory() const noexcept override;
  void give_back_unused() noexcept override;
  void give_back_all() noexcept override;
  // A request that has ended; called in a runner, since dropping it may run code.
  void give_back(Request& request) noexcept;

 private:
  EnvironBuilder environ_;
  Sockets sockets_;
  static constexpr std::size_t kKept = 256;
  FreeList<Request> free_;
};

[[nodiscard]] int add_to_module(PyObject* module) noexcept;

}  // namespace celadon::wsgi
