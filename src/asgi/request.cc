#include "asgi/request.h"

#include <algorithm>
#include <utility>

#include "asgi/bridge.h"
#include "asgi/call.h"
#include "asgi/logged.h"
#include "gateway/describe.h"
#include "gateway/exceptions.h"
#include "gateway/text.h"
#include "http/rejection.h"
#include "py/brief.h"
#include "py/error.h"
#include "ws/handshake.h"

namespace celadon::asgi {
namespace {

// What is done meanwhile, outside of its steps, is done for that request: what is
// logged has its id.
class InItsName {
 public:
  explicit InItsName(const green::Work& request) noexcept
      : strand_(*green::current_strand()), before_(strand_.do_for(&request)) {}
  ~InItsName() { strand_.do_for(before_); }
  InItsName(const InItsName&) = delete;
  InItsName& operator=(const InItsName&) = delete;

 private:
  green::Strand& strand_;
  const green::Work* before_;
};

}  // namespace

// --- the life of a request ---

void Request::begin(server::Exchange& exchange) noexcept {
  exchange_ = &exchange;
  exchange.set_consumer(this);
  bridge_.attend_soon(*this);
}

green::Hub& Request::hub() const noexcept {
  return bridge_.hub();
}

std::string_view Request::mount() const noexcept {
  return bridge_.options().environ.mount;
}

std::string Request::describe() const {
  return exchange_ ? gateway::describe(*exchange_) : line_;
}

PyObject* Request::take_socket() noexcept {
  PyErr_SetString(PyExc_RuntimeError,
                  "an ASGI application cannot take the socket of its request");
  return nullptr;
}

void Request::attend() noexcept {
  // Its application has ended, and its WebSocket may have by now.
  if (!call_ && socket_) return closes_still() ? void() : end();
  if (!call_) return start();
  wake(std::exchange(news_, std::uint8_t{0}));
  // In the middle of a step an interrupt is on its way instead.
  if (runs_on_ || !task_ || !std::exchange(to_cancel_, false)) return;
  const py::Object task = py::Object::copy(task_.get());
  // So that calls end that hold tasks which are cancelled with it.
  const InItsName name(*this);
  bridge_.loop().cancel(task.get());
}

void Request::start() noexcept {
  server::Exchange& x = *exchange_;
  news_ = 0;
  x.started_at = hub().loop().fresh_now();
  account_.begin(x.started_at);
  x.account = &account_;
  if (x.gone() || cancelled_ != Cancel::No) {
    x.abort();
    return end();
  }
  if (x.body_state() == server::BodyState::Failed) {
    x.refuse(x.body_rejection());
    return end();
  }
  if (ws::is_handshake(x.request()) && x.may_switch()) {
    if (gateway::refuse_handshake(x, bridge_.options().websocket, bridge_.leave()))
      return end();
    socket_ = std::make_unique<Socket>(*this, x, bridge_);
  }
  if (const Nanos due = bridge_.deadline_of(x); due != kNever)
    hub().loop().arm(*this, due);
  http::Rejection rejection = http::Rejection::None;
  if (!info_) info_ = gateway::make_request_info();
  const bool made = info_ && ports_.attach(*this);
  if (made) {
    gateway::attach(*info_.get(), *this);
    scope_ = bridge_.scopes().build(x, info(), socket_ != nullptr, rejection);
    if (!bridge_.options().logged_environ.empty())
      logged_scope_ = py::Object::copy(scope_.get());
  }
  if (rejection != http::Rejection::None) {
    x.refuse(rejection);
    return end();
  }
  if (scope_) call_ = make_call(*this);
  auto* call = reinterpret_cast<PyObject*>(call_.get());
  if (!call) {
    static_cast<void>(on_exception());
    return end();
  }
  bridge_.note_task();
  // Its first step is done within, and may be its last.
  const py::Owned<CallObject> alive = py::Owned<CallObject>::copy(call_.get());
  py::Object task = bridge_.loop().start_task(call);
  if (!alive->request) {  // it has ended
    if (!task) PyErr_WriteUnraisable(call);
    return;
  }
  if (!task) {
    static_cast<void>(on_exception());
    return end();
  }
  task_ = std::move(task);
  if (to_cancel_ || news_) bridge_.attend_soon(*this);
}

// What is done around each step: whoever asks who runs here hears of this request, and
// what the step spends is its own.
class Request::Step {
 public:
  explicit Step(Request& request) noexcept
      : request_(request), strand_(*green::current_strand()) {
    std::swap(strand_.account, request.account_);
    strand_.account.run(now());
    if (request.exchange_) request.exchange_->account = &strand_.account;
    request.runs_on_ = &strand_;
    before_ = strand_.do_for(&request);
  }
  ~Step() {
    green::Hub& hub = strand_.hub();
    if (hub.held().pending()) hub.held().set_holder(request_.describe());
    strand_.do_for(before_);
    request_.runs_on_ = nullptr;
    if (suspended_) {
      const bool for_client = std::exchange(request_.waits_for_client_, false);
      strand_.account.park(for_client ? Spent::Client : Spent::Socket, now());
    }
    std::swap(strand_.account, request_.account_);
    if (request_.exchange_) request_.exchange_->account = &request_.account_;
    const bool is_pending = strand_.take_back(&request_);
    if (std::exchange(request_.interrupted_, false) && !is_pending)
      request_.to_cancel_ = false;  // it came to a call that blocked
  }
  Step(const Step&) = delete;
  Step& operator=(const Step&) = delete;
  // The coroutine waits, mostly for something of the loop's.
  void suspend() noexcept { suspended_ = true; }

 private:
  [[nodiscard]] Nanos now() noexcept { return strand_.hub().loop().clock().now(); }
  Request& request_;
  green::Strand& strand_;
  const green::Work* before_ = nullptr;
  bool suspended_ = false;
};

bool Request::call_app() noexcept {
  const py::Object scope = std::move(scope_);
  PyObject* args[] = {nullptr, scope.get(),
                      reinterpret_cast<PyObject*>(ports_.receive.get()),
                      reinterpret_cast<PyObject*>(ports_.send.get())};
  py::Object result(PyObject_Vectorcall(bridge_.app(), args + 1,
                                        3 | PY_VECTORCALL_ARGUMENTS_OFFSET, nullptr));
  if (!result) return false;
  const auto* async = Py_TYPE(result.get())->tp_as_async;
  if (!PyCoro_CheckExact(result.get()) && async && async->am_await)
    result.reset(async->am_await(result.get()));
  if (!result) return false;
  if (!PyCoro_CheckExact(result.get()) && !PyIter_Check(result.get())) {
    py::raise_about(PyExc_TypeError,
                    "the application must return a coroutine (async def), not %U",
                    result.get());
    return false;
  }
  call_->coroutine = result.release();
  return true;
}

PySendResult Request::step(PyObject* value, PyObject** result) noexcept {
  *result = nullptr;
  PySendResult sent = PYGEN_ERROR;
  const py::Owned<CallObject> call = py::Owned<CallObject>::copy(call_.get());
  {
    Step step(*this);
    if (call->coroutine || call_app())
      sent = PyIter_Send(call->coroutine, value, result);
    if (hub().forked_child()) green::Hub::end_child();
    if (sent == PYGEN_NEXT) step.suspend();
  }
  if (sent != PYGEN_NEXT) return settle(sent, result);
  if (to_cancel_) bridge_.attend_soon(*this);
  return sent;
}

PyObject* Request::step_with(PyObject* const* thrown, Py_ssize_t count) noexcept {
  PyObject* yielded = nullptr;
  const py::Owned<CallObject> call = py::Owned<CallObject>::copy(call_.get());
  {
    Step step(*this);
    if (call->coroutine) {
      yielded = throw_into(call->coroutine, thrown, count);
    } else {
      raise_thrown(thrown, count);
    }
    if (hub().forked_child()) green::Hub::end_child();
    if (yielded) step.suspend();
  }
  if (yielded) {
    if (to_cancel_) bridge_.attend_soon(*this);
    return yielded;
  }
  const bool is_over = PyErr_ExceptionMatches(PyExc_StopIteration);
  if (is_over) PyErr_Clear();
  PyObject* nothing = nullptr;
  if (settle(is_over ? PYGEN_RETURN : PYGEN_ERROR, &nothing) == PYGEN_ERROR)
    return nullptr;
  py::drop(nothing);
  PyErr_SetNone(PyExc_StopIteration);
  return nullptr;
}

// Its coroutine has ended. Nobody awaits the task: only that it was cancelled is said.
PySendResult Request::settle(PySendResult sent, PyObject** result) noexcept {
  py::Object error;
  if (sent == PYGEN_RETURN) {
    py::drop(std::exchange(*result, nullptr));
    on_return();
  } else if (!on_exception()) {
    error = py::take_error();
  }
  if (closes_still()) {
    detach();
    wake_all();
    task_.reset();
  } else {
    end();
  }
  if (error) {
    py::restore_error(std::move(error));
    return PYGEN_ERROR;
  }
  *result = py::none();
  return PYGEN_RETURN;
}

void Request::on_return() noexcept {
  if (!exchange_ || exchange_->gone()) return;
  if (socket_ && socket_->accepted())
    return socket_->end(Socket::Done::Returned, bridge_.leave());
  if (cancelled_ == Cancel::Shutdown || cancelled_ == Cancel::Disconnect)
    return refuse(http::Rejection::AppFailed);
  if (cancelled_ == Cancel::Timeout) {
    PyErr_SetNone(green::exceptions().request_timeout);
    static_cast<void>(on_exception());
    return;
  }
  if (cut_off_) return refuse(exchange_->body_rejection());
  if (has_lost_client()) return exchange_->abort();
  PyErr_SetString(PyExc_RuntimeError,
                  exchange_->head_sent()
                      ? "the application returned before its answer was complete"
                      : "the application returned without an answer");
  static_cast<void>(on_exception());
}

// It has left, or the application was told so.
bool Request::has_lost_client() const noexcept {
  if (!exchange_) return client_left_;
  if (exchange_->gone() || cut_off_ || told_of_end_) return true;
  return socket_ &&
         (socket_->accepted() ? !socket_->is_open() : exchange_->peer_shut());
}

// True: it is dealt with; else it goes on, as a cancellation always does.
bool Request::on_exception() noexcept {
  const bool is_cancel = PyErr_ExceptionMatches(bridge_.loop().cancelled_error());
  const bool has_left = has_lost_client();
  const bool of_client = gateway::is_of_client(has_left);
  server::Exchange* x = exchange_;
  const bool body_broke =
      x && of_client && x->body_state() == server::BodyState::Failed;
  const bool left = of_client && (!x || has_left || (socket_ && socket_->accepted()));
  const bool timed_out = cancelled_ == Cancel::Timeout;
  py::Object error = py::take_error();
  if (timed_out && is_cancel) {
    // It is told as that of a view is.
    py::Object timeout(PyObject_CallNoArgs(green::exceptions().request_timeout));
    const py::Object trace(PyException_GetTraceback(error.get()));
    if (timeout && trace) PyException_SetTraceback(timeout.get(), trace.get());
    if (timeout) py::restore_error(std::move(timeout));
  } else if (!(is_cancel && cancelled_ != Cancel::No) && !body_broke && !left) {
    py::restore_error(py::Object::copy(error.get()));
  }
  if (PyErr_Occurred()) {
    ++(timed_out ? bridge_.counters().timed_out : bridge_.counters().failed);
    const py::Object environ = make_environ();
    const InItsName name(*this);
    bridge_.log_error(environ ? environ.get() : Py_None);
  }
  x = exchange_;  // others may have gone on with it while that was written
  if (socket_ && socket_->accepted()) {
    const bool is_ours = is_cancel && (cancelled_ == Cancel::Shutdown ||
                                       cancelled_ == Cancel::Disconnect);
    socket_->end(is_ours ? Socket::Done::Killed : Socket::Done::Raised,
                 bridge_.leave());
  } else if (timed_out) {
    refuse(http::Rejection::AppTimedOut);
  } else if (x && !x->gone() && left && told_of_end_) {
    x->abort();
  } else {
    refuse(body_broke && !x->gone() ? x->body_rejection() : http::Rejection::AppFailed);
  }
  if (is_cancel) py::restore_error(std::move(error));
  return !is_cancel;
}

void Request::refuse(http::Rejection why) noexcept {
  if (exchange_) exchange_->refuse(why);
}

// What the log of errors says of a request.
py::Object Request::make_environ() noexcept {
  py::Object error = py::take_error();
  py::Object environ(PyDict_New());
  const std::string line = describe();
  const auto space = line.find(' ');
  const auto put = [&environ](const char* key, std::string_view text) {
    const py::Object value = gateway::to_str(text);
    if (value) PyDict_SetItemString(environ.get(), key, value.get());
  };
  if (environ && space != std::string::npos) {
    put("REQUEST_METHOD", std::string_view(line).substr(0, space));
    const std::string_view target = std::string_view(line).substr(space + 1);
    put("RAW_URI", target.substr(0, target.find(' ')));
  }
  PyErr_Clear();
  py::restore_error(std::move(error));
  return environ;
}

void Request::let_go() noexcept {
  if (!exchange_) return;
  end_limit();
  client_left_ = exchange_->gone() && !exchange_->ended();
  server::Exchange& done = *exchange_;
  line_ = gateway::describe(done);
  log_scope();
  gateway::let_go_of(*info_.get(), Py_REFCNT(info()) > 1);
  exchange_ = nullptr;
  done.set_consumer(nullptr);
  if (call_) bridge_.note_background();
  note(Side::In);
  note(Side::Out);
  // Last: it may begin the connection's next request.
  done.release();
}

// A WebSocket whose application has ended waits for its peer's answer to the close.
bool Request::closes_still() noexcept {
  return socket_ && exchange_ && !exchange_->gone() && cancelled_ == Cancel::No &&
         !socket_->is_over();
}

void Request::on_socket_over() noexcept {
  if (!call_) bridge_.attend_soon(*this);
}

// For the access log, before the exchange goes.
void Request::log_scope() noexcept {
  if (logged_scope_)
    asgi::log_scope(*exchange_, bridge_.options(), logged_scope_.get());
}

// Cuts off what the application may go on with.
void Request::detach() noexcept {
  Timer::cancel();
  if (call_) {
    bridge_.note_task_end(in_background());
    call_->request = nullptr;
    call_.reset();
  }
  scope_.reset();
  ports_.detach(exchange_ ? exchange_->gone() : client_left_,
                socket_ ? socket_->closed_with() : 0);
  if (info_) gateway::let_go_of(*info_.get(), Py_REFCNT(info()) > 1);
  if (info_ && Py_REFCNT(info()) > 1) info_.reset();
  answer_.clear();
  spooled_.reset();
}

void Request::end() noexcept {
  static_cast<ListHook<Agenda>&>(*this).unlink();
  detach();
  wake_all();
  if (socket_ && exchange_ && socket_->accepted()) exchange_->finish();
  socket_.reset();
  if (exchange_) log_scope();
  const py::Object task = std::move(task_);
  const py::Object scope = std::move(logged_scope_);
  server::Exchange* done = std::exchange(exchange_, nullptr);
  line_.clear();
  news_ = 0;
  cancelled_ = before_limit_ = Cancel::No;
  to_cancel_ = body_given_ = client_left_ = waits_for_client_ = false;
  cut_off_ = told_of_end_ = false;
  deadline_stage_ = 0;
  if (done) {
    done->set_consumer(nullptr);
    // It may begin the connection's next request, and reads this one's account.
    done->release();
  }
  bridge_.give_back(*this);  // which may be its end
}

void Request::lose_task() noexcept {
  refuse(http::Rejection::AppFailed);
  end();
}

void Request::abandon() noexcept {
  detach();
  socket_.reset();
  wake_all();
  if (server::Exchange* open = std::exchange(exchange_, nullptr))
    open->set_consumer(nullptr);
}

}  // namespace celadon::asgi
