#include "wsgi/bridge.h"

#include <algorithm>

#include "wsgi/file_wrapper.h"
#include "wsgi/input.h"
#include "wsgi/request.h"
#include "wsgi/responder.h"
#include "wsgi/websocket_object.h"

namespace celadon::wsgi {

Exceptions& exceptions() noexcept {
  static Exceptions instance;
  return instance;
}

Bridge::Bridge(green::Hub& hub, py::Object app, py::Object log_exception,
               BridgeOptions options, LogSink& log) noexcept
    : hub_(hub),
      app_(std::move(app)),
      log_exception_(std::move(log_exception)),
      options_(std::move(options)),
      environ_(options_.environ),
      deflate_pool_(options_.websocket.protocol.deflate.level),
      log_(log),
      free_(kKept) {
  hub_.loop().add_keeper(*this);
}

Bridge::~Bridge() = default;

bool Bridge::prepare(PyObject* errors, PyObject* make_socket) noexcept {
  return environ_.prepare(errors) && sockets_.prepare(make_socket);
}

void Bridge::on_request(server::Exchange& exchange) noexcept {
  // The next pipelined request goes on where the last one ended, so that their answers
  // leave together; after some of them others have their turn.
  constexpr unsigned kInARow = 32;
  auto taken = free_.take();
  if (!taken) taken = std::make_unique<Request>(*this);
  Request& request = *taken.release();  // give_back() takes it over again
  request.begin(exchange);
  if (exchange.pipelined % kInARow != 0) {
    hub_.submit_first(request);
  } else {
    hub_.submit(request);
  }
}

void Bridge::on_cancel(server::Exchange& exchange) noexcept {
  if (auto* request = static_cast<Request*>(exchange.consumer())) request->kill();
}

void Bridge::give_back(Request& request) noexcept {
  free_.put(std::unique_ptr<Request>(&request));
}

bool Bridge::keeps_memory() const noexcept {
  return !free_.empty() || environ_.remembers() || deflate_pool_.keeps_memory();
}

void Bridge::give_back_unused() noexcept {
  deflate_pool_.give_back_unused();
  free_.give_back_unused();
  environ_.forget_unused();
  if (environ_.remembers()) {
    constant_fields_.forget_unused();
  } else {
    constant_fields_.clear();
  }
}

void Bridge::give_back_all() noexcept {
  deflate_pool_.give_back_all();
  free_.give_back_all();
  environ_.forget();
  constant_fields_.clear();
}

bool Bridge::cancels(std::string_view method) const noexcept {
  const auto& methods = options_.cancel_on_disconnect;
  return std::ranges::find(methods, method) != methods.end();
}

void Bridge::note_dropped_header(std::string_view name) noexcept {
  constexpr std::size_t kMostNames = 64;
  ++counters_->dropped_headers;
  if (dropped_names_.size() >= kMostNames) return;
  if (!dropped_names_.insert(std::string(name)).second) return;
  log_.log(Level::Warning,
           "the application sets the hop-by-hop header \"" + std::string(name) +
               "\", which is the server's to set; it is dropped (said once)");
}

namespace {

PyObject* current_request(PyObject*, PyObject*) noexcept {
  return current_request_info();
}
PyMethodDef functions[] = {
    {"current_request", current_request, METH_NOARGS,
     "environ[\"celadon.request\"] of the request that runs here, or None."},
    {nullptr, nullptr, 0, nullptr}};

}  // namespace

int add_to_module(PyObject* module) noexcept {
  Exceptions& e = exceptions();
  e.body_error = PyErr_NewExceptionWithDoc(
      "celadon.BodyError",
      "The request body is malformed, too large, or came too slowly.", PyExc_OSError,
      nullptr);
  e.client_disconnected = PyErr_NewExceptionWithDoc(
      "celadon.ClientDisconnected", "The client left before the request was done.",
      PyExc_ConnectionResetError, nullptr);
  if (!e.body_error || !e.client_disconnected ||
      PyModule_AddFunctions(module, functions) < 0 ||
      PyModule_AddObjectRef(module, "BodyError", e.body_error) < 0 ||
      PyModule_AddObjectRef(module, "ClientDisconnected", e.client_disconnected) < 0) {
    return -1;
  }
  return add_input_type(module) < 0 || add_responder_type(module) < 0 ||
                 add_file_wrapper_type(module) < 0 ||
                 add_request_info_type(module) < 0 || add_websocket_type(module) < 0
             ? -1
             : 0;
}

}  // namespace celadon::wsgi
