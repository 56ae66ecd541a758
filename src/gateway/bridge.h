// An application as the server sees it, whichever interface it has: what bridges to
// WSGI and to ASGI share.
//
//   Exchange ─► Bridge ─► wsgi: a job for a runner
//                      └► asgi: a task of the worker's event loop
#pragma once

#include <string>
#include <string_view>
#include <unordered_set>

#include "base/log.h"
#include "gateway/constant_fields.h"
#include "gateway/counters.h"
#include "gateway/options.h"
#include "gateway/websocket_share.h"
#include "green/hub.h"
#include "py/ref.h"
#include "server/exchange.h"

namespace celadon::gateway {

class Bridge : public server::App, public loop::Keeper {
 public:
  // `log_exception(error, environ)`: environ is None where there is none to show.
  Bridge(green::Hub& hub, py::Object app, py::Object log_exception, Options options,
         LogSink& log) noexcept;

  // What is still under way although its answer is complete.
  [[nodiscard]] virtual std::size_t background() const noexcept { return 0; }
  // It is to end soon.
  virtual void cancel_background() noexcept {}
  // The server goes, and with it all exchanges: none is used any more.
  virtual void abandon() noexcept {}

  [[nodiscard]] green::Hub& hub() noexcept { return hub_; }
  [[nodiscard]] PyObject* app() const noexcept { return app_.get(); }
  [[nodiscard]] PyObject* log_exception() const noexcept {
    return log_exception_.get();
  }
  [[nodiscard]] const Options& options() const noexcept { return options_; }
  [[nodiscard]] Counters& counters() noexcept { return *counters_; }
  [[nodiscard]] Load& load() noexcept { return *websockets_.load; }
  // Memory that others may read; outlives the bridge.
  void set_cells(Counters& counters, Load& load) noexcept {
    counters = *counters_;
    counters_ = &counters;
    websockets_.counters = &counters;
    load = *websockets_.load;
    websockets_.load = &load;
  }
  // Counts where that one does, which lives as long.
  void count_with(Bridge& other) noexcept { set_cells(other.counters(), other.load()); }
  [[nodiscard]] LogSink& log() noexcept { return log_; }
  [[nodiscard]] ConstantFields& constant_fields() noexcept { return constant_fields_; }
  [[nodiscard]] WebSocketShare& websockets() noexcept { return websockets_; }

  // What is kept for the next requests is ours alone: to drop it runs no code of
  // others.
  [[nodiscard]] bool keeps_memory() const noexcept override {
    return websockets_.deflate.keeps_memory();
  }
  void give_back_unused() noexcept override { websockets_.deflate.give_back_unused(); }
  void give_back_all() noexcept override { websockets_.deflate.give_back_all(); }

  // A hop-by-hop field the application set: counted, and said once per name.
  void note_dropped_header(std::string_view name) noexcept;
  // Whether such a request ends with its client.
  [[nodiscard]] bool cancels(std::string_view method) const noexcept;
  // Of request_timeout, or earlier where a proxy waits no longer; kNever: none.
  [[nodiscard]] Nanos deadline_of(const server::Exchange& exchange) const noexcept;
  // Hands the current exception to the log and clears it.
  void log_error(PyObject* environ) noexcept;
  // When what is whole leaves.
  [[nodiscard]] net::Leave leave() const noexcept {
    return hub_.batches(has_more()) ? net::Leave::AtTurnEnd : net::Leave::Now;
  }

 private:
  // The slice that runs goes on with other requests.
  [[nodiscard]] virtual bool has_more() const noexcept { return false; }

  green::Hub& hub_;
  py::Object app_;
  py::Object log_exception_;
  const Options options_;
  LogSink& log_;
  Counters own_counters_;
  Counters* counters_ = &own_counters_;
  Load own_load_;
  std::unordered_set<std::string> dropped_names_;
  ConstantFields constant_fields_;
  WebSocketShare websockets_;
};

// What the access log's format names, of what the application was shown.
void log_environ(server::Exchange& exchange, const Options& options,
                 PyObject* environ) noexcept;

}  // namespace celadon::gateway
