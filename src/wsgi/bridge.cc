#include "wsgi/bridge.h"

#include "gateway/exceptions.h"
#include "wsgi/file_wrapper.h"
#include "wsgi/input.h"
#include "wsgi/request.h"
#include "wsgi/responder.h"
#include "wsgi/websocket_object.h"

namespace celadon::wsgi {

Bridge::Bridge(green::Hub& hub, py::Object app, py::Object log_exception,
               gateway::Options own_options, LogSink& log) noexcept
    : gateway::Bridge(hub, std::move(app), std::move(log_exception),
                      std::move(own_options), log),
      environ_(options().environ),
      free_(kKept) {
  hub.loop().add_keeper(*this);
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
    hub().submit_first(request);
  } else {
    hub().submit(request);
  }
}

void Bridge::on_cancel(server::Exchange& exchange) noexcept {
  if (auto* request = static_cast<Request*>(exchange.consumer())) request->kill();
}

void Bridge::give_back(Request& request) noexcept {
  free_.put(std::unique_ptr<Request>(&request));
}

bool Bridge::keeps_memory() const noexcept {
  return !free_.empty() || environ_.remembers() || gateway::Bridge::keeps_memory();
}

void Bridge::give_back_unused() noexcept {
  gateway::Bridge::give_back_unused();
  free_.give_back_unused();
  environ_.forget_unused();
  if (environ_.remembers()) {
    constant_fields().forget_unused();
  } else {
    constant_fields().clear();
  }
}

void Bridge::give_back_all() noexcept {
  gateway::Bridge::give_back_all();
  free_.give_back_all();
  environ_.forget();
  constant_fields().clear();
}

namespace {

PyObject* current_request(PyObject*, PyObject*) noexcept {
  return gateway::current_request_info();
}
PyMethodDef functions[] = {
    {"current_request", current_request, METH_NOARGS,
     "environ[\"celadon.request\"] of the request that runs here, or None."},
    {nullptr, nullptr, 0, nullptr}};

}  // namespace

int add_to_module(PyObject* module) noexcept {
  if (gateway::add_exceptions(module) < 0 ||
      PyModule_AddFunctions(module, functions) < 0) {
    return -1;
  }
  return add_input_type(module) < 0 || add_responder_type(module) < 0 ||
                 add_file_wrapper_type(module) < 0 ||
                 gateway::add_request_info_type(module) < 0 ||
                 add_websocket_type(module) < 0
             ? -1
             : 0;
}

}  // namespace celadon::wsgi
