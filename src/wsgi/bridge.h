// The WSGI application as the server sees it: a server::App that turns Exchanges into
// jobs for runners.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "base/free_list.h"
#include "base/log.h"
#include "base/out_queue.h"
#include "green/hub.h"
#include "server/exchange.h"
#include "wsgi/constant_fields.h"
#include "wsgi/environ.h"
#include "wsgi/responder.h"
#include "wsgi/upgrade.h"
#include "wsgi/websocket.h"

namespace celadon::wsgi {

class Request;

struct BridgeOptions {
  EnvironOptions environ;
  Nanos request_timeout = 120 * kSecond;  // kNever: off
  std::string request_deadline_header;    // of trusted peers; empty: none
  std::vector<std::string> cancel_on_disconnect;
  std::vector<std::string> logged_environ;  // keys that the access log wants
  WebSocketOptions websocket;
};

struct BridgeCounters {
  std::uint64_t failed = 0;     // the application raised or broke a rule
  std::uint64_t timed_out = 0;  // request_timeout
  std::uint64_t dropped_headers = 0;
  std::uint64_t websockets = 0;        // accepted
  std::uint64_t websocket_faults = 0;  // failed: the client broke a rule, or was silent
  std::uint64_t messages_received = 0;
  std::uint64_t messages_sent = 0;
};

struct BridgeLoad {
  std::uint64_t websockets = 0;  // open
};

class Bridge final : public server::App, public loop::Keeper {
 public:
  // `log_exception(error, environ)`: environ is None where there is none to show.
  Bridge(green::Hub& hub, py::Object app, py::Object log_exception,
         BridgeOptions options, LogSink& log) noexcept;
  ~Bridge() override;
  // `make_socket(info)`: what an application gets as its socket, of requests that ask
  // for another protocol.
  [[nodiscard]] bool prepare(PyObject* errors, PyObject* make_socket) noexcept;

  void on_request(server::Exchange& exchange) noexcept override;
  void on_cancel(server::Exchange& exchange) noexcept override;

  [[nodiscard]] green::Hub& hub() noexcept { return hub_; }
  [[nodiscard]] PyObject* app() const noexcept { return app_.get(); }
  [[nodiscard]] PyObject* log_exception() const noexcept {
    return log_exception_.get();
  }
  [[nodiscard]] EnvironBuilder& environ() noexcept { return environ_; }
  [[nodiscard]] Sockets& sockets() noexcept { return sockets_; }
  [[nodiscard]] ws::DeflatePool& deflate_pool() noexcept { return deflate_pool_; }
  // Of WebSockets, on their way to their connection.
  [[nodiscard]] OutQueue& frames() noexcept { return frames_; }
  [[nodiscard]] const BridgeOptions& options() const noexcept { return options_; }
  [[nodiscard]] BridgeCounters& counters() noexcept { return *counters_; }
  // Memory that others may read; outlives the bridge.
  void set_cells(BridgeCounters& counters, BridgeLoad& load) noexcept {
    counters = *counters_;
    counters_ = &counters;
    load = *load_;
    load_ = &load;
  }
  [[nodiscard]] BridgeLoad& load() noexcept { return *load_; }
  [[nodiscard]] LogSink& log() noexcept { return log_; }
  // A hop-by-hop field the application set: counted, and said once per name.
  void note_dropped_header(std::string_view name) noexcept;
  [[nodiscard]] bool cancels(std::string_view method) const noexcept;
  [[nodiscard]] ConstantFields& constant_fields() noexcept { return constant_fields_; }
  // What is kept for the next requests is ours alone: to drop it runs no code of
  // others.
  [[nodiscard]] bool keeps_memory() const noexcept override;
  void give_back_unused() noexcept override;
  void give_back_all() noexcept override;
  // A request that has ended; called in a runner, since dropping it may run code.
  void give_back(Request& request) noexcept;

 private:
  green::Hub& hub_;
  py::Object app_;
  py::Object log_exception_;
  const BridgeOptions options_;
  EnvironBuilder environ_;
  Sockets sockets_;
  ws::DeflatePool deflate_pool_;
  OutQueue frames_;
  LogSink& log_;
  BridgeCounters own_counters_;
  BridgeCounters* counters_ = &own_counters_;
  BridgeLoad own_load_;
  BridgeLoad* load_ = &own_load_;
  std::unordered_set<std::string> dropped_names_;
  ConstantFields constant_fields_;
  static constexpr std::size_t kKept = 256;
  FreeList<Request> free_;
};

// Exceptions of this room.
struct Exceptions {
  PyObject* body_error = nullptr;           // OSError: malformed, slow or too large
  PyObject* client_disconnected = nullptr;  // ConnectionResetError
};
[[nodiscard]] Exceptions& exceptions() noexcept;

[[nodiscard]] int add_to_module(PyObject* module) noexcept;

}  // namespace celadon::wsgi
