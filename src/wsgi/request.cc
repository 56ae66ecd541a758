#include "wsgi/request.h"

#include "gateway/describe.h"
#include "gateway/exceptions.h"
#include "green/switch.h"
#include "http/rejection.h"
#include "py/dict_version.h"
#include "py/error.h"
#include "wsgi/bridge.h"

namespace celadon::wsgi {

void Request::begin(server::Exchange& exchange) noexcept {
  exchange_ = &exchange;
  strand_ = waiter_ = nullptr;
  waiting_ = Waiting::Nothing;
  killed_ = false;
  exchange.set_consumer(this);
}

green::Hub& Request::hub() const noexcept {
  return bridge_.hub();
}

std::string_view Request::mount() const noexcept {
  return bridge_.options().environ.mount;
}

std::string Request::describe() const {
  return exchange_ ? gateway::describe(*exchange_) : std::string();
}

// --- being woken, and waiting ---

void Request::wake_waiter(Waiting what) noexcept {
  if (waiting_ != what || !waiter_) return;
  waiter_->granted = true;
  waiter_->wake();
}

void Request::on_body() noexcept {
  if (WebSocket* socket = offered_.accepted()) return socket->on_body();
  wake_waiter(Waiting::Body);
}

void Request::on_writable() noexcept {
  if (WebSocket* socket = offered_.accepted()) return socket->on_writable();
  wake_waiter(Waiting::Write);
}

void Request::on_closing(server::Closing how) noexcept {
  if (WebSocket* socket = offered_.get()) socket->on_closing(how);
}

void Request::on_gone() noexcept {
  bool is_told = waiting_ != Waiting::Nothing && waiter_;
  if (is_told) {
    waiter_->granted = true;
    waiter_->wake();
  }
  WebSocket* socket = offered_.accepted();
  if (socket && socket->on_gone()) is_told = true;
  // One whose client waits for more would hear of it with its next piece, which may
  // come hours later. Not who finds out by sending just now: what he does then is clean
  // up.
  const bool owes =
      exchange_->head_sent() && !exchange_->ended() && (socket || !complete());
  const bool sends = strand_ && strand_ == green::current_strand();
  if ((owes && !is_told && !sends) || bridge_.cancels(exchange_->method())) kill();
}

void Request::kill() noexcept {
  killed_ = true;
  if (!strand_) return;  // not started: run() sees it
  strand_->retire();
  strand_->interrupt(py::Object::copy(green::greenlet_exit_type()), this);
}

green::Waited Request::wait_for(Waiting what, green::ParkReason reason) noexcept {
  green::Strand* strand = green::current_strand();
  if (!strand || !green::can_park() || waiter_) {
    PyErr_SetString(
        PyExc_RuntimeError,
        waiter_ ? "another greenlet waits for this request already"
                : "a request can be waited for only in a greenlet of its worker");
    return green::Waited::Interrupted;
  }
  waiter_ = strand;
  waiting_ = what;
  strand->granted = false;
  strand->waits_for = this;
  const green::Waited waited = strand->hub().park(*strand, kNever, reason, false);
  if (strand->waits_for != this) {
    // A greenlet that was spawned outlived its request; `this` may be another's by now.
    if (waited != green::Waited::Interrupted) {
      PyErr_SetString(PyExc_RuntimeError,
                      "the request ended while this greenlet waited for it");
    }
    return green::Waited::Interrupted;
  }
  strand->waits_for = nullptr;
  waiter_ = nullptr;
  waiting_ = Waiting::Nothing;
  return waited;
}

bool Request::wait_body() noexcept {
  server::Exchange& x = *exchange_;
  x.want_body();
  const auto may_come = [&x] {
    return x.body().empty() && x.body_state() == server::BodyState::Open && !x.gone() &&
           !x.switched();
  };
  while (may_come()) {
    if (wait_for(Waiting::Body, green::ParkReason::Body) ==
        green::Waited::Interrupted) {
      return false;
    }
  }
  if (!x.body().empty() || x.body_state() == server::BodyState::Complete ||
      x.switched()) {
    return true;
  }
  if (x.gone() || x.body_rejection() == http::Rejection::IncompleteBody) {
    PyErr_SetString(gateway::exceptions().client_disconnected,
                    "the client left before the body was complete");
    return false;
  }
  return gateway::raise_body_error(x.body_rejection());
}

bool Request::wait_writable() noexcept {
  if (wait_for(Waiting::Write, green::ParkReason::Write) ==
      green::Waited::Interrupted) {
    return false;
  }
  return exchange_->gone() ? gateway::raise_gone() : true;
}

// --- the life of a request ---

void Request::run(green::Strand& strand) noexcept {
  strand_ = &strand;
  exchange_->started_at = strand.job_began();
  exchange_->account = &strand.account;
  if (exchange_->gone() || killed_) {
    exchange_->abort();
  } else if (exchange_->body_state() == server::BodyState::Failed) {
    exchange_->refuse(exchange_->body_rejection());
  } else {
    const Nanos end = bridge_.deadline_of(*exchange_);
    if (end != kNever) strand.set_deadline(end);
    serve();
  }
  end();
}

void Request::end() noexcept {
  if (waiter_) {
    waiter_->waits_for = nullptr;
    waiter_->granted = true;
    waiter_->wake();
    waiter_ = nullptr;
  }
  green::Hub& hub = bridge_.hub();
  if (hub.held().pending()) hub.held().set_holder(describe());
  server::Exchange& done = *exchange_;
  exchange_ = nullptr;
  done.set_consumer(nullptr);
  bridge_.give_back(*this);  // which may be its end
  // Last: it may begin the connection's next request, with this very object.
  done.release();
  hub.note_end();
}

void Request::detach() noexcept {
  strand_->take_back(this);
  offered_.end();
  if (kit_.responder && !kit_.detach()) kit_.drop();
}

py::Object Request::make_environ(http::Rejection& rejection) noexcept {
  if (!kit_.responder && !kit_.make()) return {};
  kit_.attach(*this);
  py::Object environ = bridge_.environ().build(*exchange_, kit_, rejection, lender_);
  if (environ && !offer_sockets(environ.get())) return {};
  if (environ) as_made_ = py::dict_version(environ.get());
  return environ;
}

void Request::serve() noexcept {
  if (exchange_->request().upgrade && refuses_handshake()) return detach();
  http::Rejection rejection = http::Rejection::None;
  py::Object environ = make_environ(rejection);
  if (rejection != http::Rejection::None) {
    exchange_->refuse(rejection);
  } else if (!environ || !call_app(environ.get())) {
    on_exception(environ.get());
  }
  if (environ) settle_environ(std::move(environ));
  detach();
}

// What the application has put there may take its time to go: the answer has left by
// then, and so has its time.
void Request::settle_environ(py::Object environ) noexcept {
  const bool is_logged = !bridge_.options().logged_environ.empty();
  const bool is_as_made =
      as_made_ != 0 && py::dict_version(environ.get()) == as_made_ && !is_logged;
  if (!is_as_made && exchange_->released_next()) {
    exchange_->delay_release(bridge_.hub().loop().fresh_now());
  }
  if (is_logged) gateway::log_environ(*exchange_, bridge_.options(), environ.get());
  if (lender_) lender_->take_back(environ);
}

bool Request::call_app(PyObject* environ) noexcept {
  PyObject* args[] = {nullptr, environ,
                      reinterpret_cast<PyObject*>(kit_.responder.get())};
  const py::Object result(PyObject_Vectorcall(
      bridge_.app(), args + 1, 2 | PY_VECTORCALL_ARGUMENTS_OFFSET, nullptr));
  if (bridge_.hub().forked_child()) green::Hub::end_child();
  if (!result) return false;
  const bool answered = answer(result.get());
  close_result(result.get());
  // A framework answers for a view that has raised.
  constexpr int kFailed = 500;
  WebSocket* socket = answered ? offered_.accepted() : nullptr;
  if (socket) {
    socket->end(kit_.responder->head.status >= kFailed ? WebSocket::Done::Raised
                                                       : WebSocket::Done::Returned);
  }
  return answered;
}

// Exactly once, on every path; what it raises is logged and changes nothing.
void Request::close_result(PyObject* result) noexcept {
  if (PyList_CheckExact(result) || PyTuple_CheckExact(result)) return;
  py::Object before = py::take_error();
  const py::Object close(PyObject_GetAttrString(result, "close"));
  if (close) {
    const py::Object done(PyObject_CallNoArgs(close.get()));
    if (!done) bridge_.log_error(Py_None);
  }
  PyErr_Clear();
  py::restore_error(std::move(before));
}

// --- failures ---

// How libraries that took the socket tell a server that there is nothing to send: by
// what its own loop knows. Or their client has left.
bool Request::leaves_a_socket() const noexcept {
  return exchange_->lent() && (PyErr_ExceptionMatches(PyExc_StopIteration) ||
                               PyErr_ExceptionMatches(PyExc_ConnectionError));
}

void Request::on_exception(PyObject* environ) noexcept {
  if (bridge_.hub().forked_child()) green::Hub::end_child();
  server::Exchange& x = *exchange_;
  const bool timed_out = PyErr_ExceptionMatches(green::exceptions().request_timeout) ||
                         PyErr_ExceptionMatches(green::exceptions().request_killed);
  const bool our_kill = PyErr_ExceptionMatches(green::greenlet_exit_type());
  const bool of_client = gateway::is_of_client();
  const bool body_broke = of_client && x.body_state() == server::BodyState::Failed;
  const bool left =
      (of_client && (x.gone() || offered_.accepted())) || leaves_a_socket();
  if (!PyErr_ExceptionMatches(PyExc_Exception)) strand_->retire();
  if (our_kill || body_broke || left) {
    PyErr_Clear();
  } else {
    ++(timed_out ? bridge_.counters().timed_out : bridge_.counters().failed);
    bridge_.log_error(environ ? environ : Py_None);
  }
  if (WebSocket* socket = offered_.accepted())
    return socket->end(our_kill ? WebSocket::Done::Killed : WebSocket::Done::Raised);
  x.refuse(timed_out                 ? http::Rejection::AppTimedOut
           : body_broke && !x.gone() ? x.body_rejection()
                                     : http::Rejection::AppFailed);
}

}  // namespace celadon::wsgi
