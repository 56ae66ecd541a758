#include "asgi/bridge.h"

#include <memory>
#include <utility>
#include <vector>

#include "asgi/call.h"
#include "asgi/port.h"

namespace celadon::asgi {

Bridge::Bridge(green::Hub& hub, py::Object app, py::Object log_exception,
               gateway::Options own_options, LogSink& log) noexcept
    : gateway::Bridge(hub, std::move(app), std::move(log_exception),
                      std::move(own_options), log),
      scopes_(options().environ),
      free_(kKept) {
  hub.loop().add_keeper(*this);
  hub.loop().add_hook(*this);
}

// Ahead of the server's, which sends what was put together in the turn.
void Bridge::on_turn_end() noexcept {
  Answer* next = nullptr;
  for (Answer* each = held_.front(); each; each = next) {
    next = held_.next(*each);
    each->leave_ahead();
  }
}

// Requests whose tasks have not ended are cut off from them.
void Bridge::abandon() noexcept {
  std::vector<std::unique_ptr<Request>> last;
  while (Request* request = alive_.pop_front()) last.emplace_back(request);
  for (const auto& each : last) each->abandon();
}

bool Bridge::prepare(PyObject* loop, PyObject* state) noexcept {
  return loop_.prepare(loop, *this) && scopes_.prepare(state);
}

void Bridge::on_request(server::Exchange& exchange) noexcept {
  auto taken = free_.take();
  if (!taken) taken = std::make_unique<Request>(*this);
  Request& request = *taken.release();  // give_back() takes it over again
  alive_.push_back(request);
  request.begin(exchange);
}

void Bridge::on_cancel(server::Exchange& exchange) noexcept {
  if (auto* request = static_cast<Request*>(exchange.consumer()))
    request->cancel(Request::Cancel::Shutdown);
}

void Bridge::cancel_background() noexcept {
  for (Request* each = alive_.front(); each; each = alive_.next(*each)) {
    if (each->in_background()) each->cancel(Request::Cancel::Shutdown);
  }
}

void Bridge::note_background() noexcept {
  --load().tasks_answering;
  ++load().tasks_behind;
  ++background_;
}

void Bridge::note_task_end(bool in_background) noexcept {
  --(in_background ? load().tasks_behind : load().tasks_answering);
  if (in_background) --background_;
}

void Bridge::attend_soon(Request& request) noexcept {
  if (static_cast<ListHook<Agenda>&>(request).linked()) return;
  agenda_.push_back(request);
  loop_.run_soon();
}

void Bridge::attend() noexcept {
  if (Request* request = agenda_.pop_front()) request->attend();
}

void Bridge::give_back(Request& request) noexcept {
  static_cast<ListHook<Alive>&>(request).unlink();
  free_.put(std::unique_ptr<Request>(&request));
}

bool Bridge::keeps_memory() const noexcept {
  return !free_.empty() || scopes_.remembers() || gateway::Bridge::keeps_memory();
}

void Bridge::give_back_unused() noexcept {
  gateway::Bridge::give_back_unused();
  free_.give_back_unused();
  scopes_.forget_unused();
  constant_fields().forget_unused();
}

void Bridge::give_back_all() noexcept {
  gateway::Bridge::give_back_all();
  free_.give_back_all();
  scopes_.forget();
  constant_fields().clear();
}

int add_to_module(PyObject* module) noexcept {
  return add_turn_type(module) < 0 || add_call_type(module) < 0 ||
                 add_port_types(module) < 0
             ? -1
             : 0;
}

}  // namespace celadon::asgi
