// What a request is told, by its exchange and by the clock; what it gives on from there
// to its application: a wake, a cancellation, the next message.
#include <fcntl.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "asgi/bridge.h"
#include "asgi/request.h"
#include "gateway/cold_file.h"
#include "gateway/exceptions.h"
#include "net/owned_fd.h"

namespace celadon::asgi {
namespace {

constexpr std::uint8_t kAll = 0xff;
constexpr Nanos kInsist = 10 * kSecond;     // after which a deadline comes again
constexpr Nanos kShare = 5 * kMillisecond;  // a stream yields to others after so long

Outcome tell_of_end(py::Object& message) noexcept {
  message = disconnect_message();
  return message ? Outcome::Done : Outcome::Failed;
}

// Parks until a block is in memory, whatever becomes of its request: by a descriptor of
// its own. Without one, who reads it waits for the disk. False with an exception.
bool fetch(int file, off_t offset) noexcept {
  const net::OwnedFd own(::fcntl(file, F_DUPFD_CLOEXEC, 0));
  return !own || gateway::warm_up(own.get(), offset, gateway::SpooledBody::kBlock);
}

}  // namespace

// --- being told, and cancelled ---

void Request::note(Side side) noexcept {
  ++noted_;
  const auto bit = static_cast<std::uint8_t>(side);
  for (const Waiter& each : waiters_) {
    if (each.side != side) continue;
    news_ |= bit;
    return bridge_.attend_soon(*this);
  }
}

void Request::on_body() noexcept {
  if (socket_ && socket_->accepted()) return socket_->on_body();
  note(Side::In);
}

void Request::on_writable() noexcept {
  answer_.note_room();
  if (socket_ && socket_->accepted()) return socket_->on_writable();
  note(Side::Out);
}

void Request::on_closing(server::Closing how) noexcept {
  if (socket_) socket_->on_closing(how);
}

void Request::on_gone() noexcept {
  if (socket_) socket_->on_gone();
  note(Side::In);
  note(Side::Out);
  if (bridge_.cancels(exchange_->method())) cancel(Cancel::Disconnect);
}

void Request::cancel(Cancel why) noexcept {
  cancelled_ = std::max(cancelled_, why);
  to_cancel_ = true;
  if (runs_on_) {
    // A blocking call in the middle of a step ends. Otherwise the task does, at its
    // next await.
    interrupted_ = true;
    runs_on_->interrupt(py::Object::copy(bridge_.loop().cancelled_error()), this);
  } else {
    bridge_.attend_soon(*this);
  }
}

// request_timeout: said again to who goes on, as to a view.
void Request::on_timer() noexcept {
  green::HubStats& stats = hub().stats();
  ++stats.deadlines_fired;
  if (deadline_stage_ == 2) {
    ++stats.deadlines_ignored;
    bridge_.log().log(Level::Critical,
                      "a request swallowed its deadline twice and is still running");
  }
  if (deadline_stage_ < 3) ++deadline_stage_;
  hub().loop().arm(*this, hub().loop().now() + kInsist);
  if (cancelled_ != Cancel::Timeout) before_limit_ = cancelled_;
  cancel(Cancel::Timeout);
}

// Who did in time what it is for has none any more, not even one that has come already
// but not to its task.
void Request::end_limit() noexcept {
  Timer::cancel();
  if (cancelled_ != Cancel::Timeout || !to_cancel_) return;
  if (interrupted_ && !runs_on_->take_back(this)) return;
  interrupted_ = false;
  cancelled_ = std::exchange(before_limit_, Cancel::No);
  to_cancel_ = cancelled_ != Cancel::No;
}

py::Object Request::wait_for(Side side, const void* sender) noexcept {
  const std::uint32_t noted = noted_;
  py::Object future = bridge_.loop().make_future();
  if (!future) return {};
  waiters_.push_back({py::new_ref(future.get()), side, sender});
  if (side != Side::Turn) waits_for_client_ = true;
  // Others may have had their turn while Python code made it, and news have come.
  if (side == Side::Turn || noted_ != noted) {
    news_ |= static_cast<std::uint8_t>(side);
    bridge_.attend_soon(*this);
  }
  return future;
}

void Request::forget(PyObject* future) noexcept {
  const auto found = std::ranges::find(waiters_, future, &Waiter::future);
  if (found == waiters_.end()) return;
  const py::Object last(found->future);
  waiters_.erase(found);
}

void Request::leave_line(const void* sender) noexcept {
  const auto found = std::ranges::find(senders_, sender);
  if (found == senders_.end()) return;
  const bool was_next = found == senders_.begin();
  senders_.erase(found);
  if (was_next && !senders_.empty()) note(Side::Out);
}

void Request::wake(std::uint8_t sides) noexcept {
  std::vector<py::Object> woken;
  std::erase_if(waiters_, [&](const Waiter& each) {
    if ((static_cast<std::uint8_t>(each.side) & sides) == 0) return false;
    if (each.side == Side::Out && each.sender && !is_next(each.sender)) return false;
    woken.emplace_back(each.future);
    return true;
  });
  TaskLoop& loop = bridge_.loop();
  for (const py::Object& future : woken) loop.resolve(future.get());
}

// There is nothing to wait for any more.
void Request::wake_all() noexcept {
  senders_.clear();
  wake(kAll);
}

bool Request::has_had_its_share() const noexcept {
  return hub().loop().clock().now() - hub().slice_started() >= kShare;
}

// --- the body ---

Outcome Request::receive(py::Object& message, const PortObject& port) noexcept {
  if (socket_) return socket_->receive(message);
  const server::Exchange* x = exchange_;
  if (!x || x->gone() || x->ended()) return tell_of_end(message);
  if (!body_given_) return receive_body(message, port);
  // One that sends nothing more may still wait for its answer: it gets it.
  if (!x->peer_shut()) return Outcome::Wait;
  told_of_end_ = true;
  return tell_of_end(message);
}

Outcome Request::receive_body(py::Object& message, const PortObject& port) noexcept {
  server::Exchange& x = *exchange_;
  if (x.spool() >= 0) return receive_spooled(message, port);
  if (x.body().empty() && x.body_state() == server::BodyState::Open) x.want_body();
  if (x.body().empty() && x.body_state() == server::BodyState::Open)
    return Outcome::Wait;
  if (x.body().empty() && x.body_state() == server::BodyState::Failed) {
    if (!x.gone() && x.body_rejection() != http::Rejection::IncompleteBody) {
      gateway::raise_body_error(x.body_rejection());
      return Outcome::Failed;
    }
    cut_off_ = true;
    return tell_of_end(message);
  }
  const std::string_view data = x.body();
  py::Object body(
      PyBytes_FromStringAndSize(data.data(), static_cast<Py_ssize_t>(data.size())));
  if (!body) return Outcome::Failed;
  x.consume_body(data.size());
  body_given_ = x.body_state() == server::BodyState::Complete && x.body().empty();
  message = request_message(std::move(body), !body_given_);
  return message ? Outcome::Done : Outcome::Failed;
}

Outcome Request::receive_spooled(py::Object& message, const PortObject& port) noexcept {
  if (!spooled_) spooled_ = std::make_unique<gateway::SpooledBody>();
  std::optional<off_t> fetched;
  for (;;) {
    const auto cold = spooled_->cold_block(exchange_->spool());
    if (!cold || cold == fetched) break;
    fetched = cold;
    if (!fetch(exchange_->spool(), *cold)) return Outcome::Failed;
    // Others ran meanwhile. Whoever received there has gone on in the file.
    if (!port.request || !exchange_ || exchange_->gone()) return tell_of_end(message);
  }
  if (!spooled_->fill(exchange_->spool(), false)) return Outcome::Failed;
  const std::string_view data = spooled_->data();
  body_given_ = data.empty();
  py::Object body(
      PyBytes_FromStringAndSize(data.data(), static_cast<Py_ssize_t>(data.size())));
  if (!body) return Outcome::Failed;
  spooled_->consume(data.size());
  message = request_message(std::move(body), !body_given_);
  return message ? Outcome::Done : Outcome::Failed;
}

}  // namespace celadon::asgi
