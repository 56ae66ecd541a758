#include "wsgi/websocket.h"

#include <algorithm>

#include "gateway/exceptions.h"
#include "green/switch.h"
#include "ws/handshake.h"
#include "wsgi/bridge.h"
#include "wsgi/request.h"

namespace celadon::wsgi {
namespace {

bool fail(PyObject* type, const char* text) noexcept {
  PyErr_SetString(type, text);
  return false;
}

bool raise_closed() noexcept {
  return fail(gateway::exceptions().client_disconnected, "the WebSocket is closed");
}

bool raise_objection(gateway::WebSocket::Objection why,
                     const OwnFields& fields) noexcept {
  using enum gateway::WebSocket::Objection;
  switch (why) {
    case NotOffered:
      return fail(PyExc_ValueError, "the client has not offered that subprotocol");
    case NotOwn: {
      const auto found = std::ranges::find_if(fields.views(), ws::is_of_handshake,
                                              &http::HeaderView::name);
      PyErr_Format(PyExc_ValueError, "%s is the server's to say",
                   std::string(found->name).c_str());
      return false;
    }
    case Late:
      return fail(PyExc_RuntimeError,
                  "the answer has begun, or this connection ends with it: it cannot be "
                  "a WebSocket");
    case Gone: break;
  }
  return gateway::raise_gone();
}

}  // namespace

WebSocket::WebSocket(Request& request) noexcept
    : gateway::WebSocket(request.exchange(), request.bridge().websockets()),
      request_(request) {}

// Who still waits belongs to a request that has ended, and is told so.
WebSocket::~WebSocket() {
  for (const Waiter& each : waiters_) each.strand->waits_for = nullptr;
  WebSocket::on_news(kIn | kOut | kOver);
}

Bridge& WebSocket::bridge() const noexcept {
  return request_.bridge();
}

green::Hub& WebSocket::hub() const noexcept {
  return bridge().hub();
}

std::vector<std::string_view> WebSocket::subprotocols() const {
  return ws::offered_subprotocols(request_.exchange().request());
}

// --- what the application calls ---

bool WebSocket::accept(std::string_view subprotocol, const OwnFields& fields) noexcept {
  if (accepted()) return fail(PyExc_RuntimeError, "the WebSocket was accepted already");
  const auto done = gateway::WebSocket::accept(subprotocol, fields.head());
  if (!done) return raise_objection(done.error(), fields);
  subprotocol_ = subprotocol;
  request_.on_switched();
  return true;
}

bool WebSocket::receive(std::optional<gateway::Message>& out) noexcept {
  // Whose client sends much would never have to wait.
  if (!accept_first() || !share_time()) return false;
  while (!take(out.emplace())) {
    out.reset();
    if (!is_open()) return true;
    if (!wait_for(kIn)) return false;
  }
  return true;
}

bool WebSocket::send(bool is_text, std::string_view data) noexcept {
  if (!accept_first() || !share_time()) return false;
  while (is_blocked()) {
    if (!wait_for(kOut)) return false;
  }
  return gateway::WebSocket::send(is_text, data, bridge().leave()) || raise_closed();
}

bool WebSocket::close(int code, std::string_view reason) noexcept {
  if (!accept_first()) return false;
  const auto number = static_cast<std::uint16_t>(code < 0 || code > 0xFFFF ? 0 : code);
  switch (gateway::WebSocket::close(number, reason, bridge().leave())) {
    case ws::Refusal::None:
    case ws::Refusal::NotOpen: break;
    case ws::Refusal::BadCode:
      PyErr_Format(PyExc_ValueError, "%d is no code to close a WebSocket with", code);
      return false;
    case ws::Refusal::BadReason:
      return fail(PyExc_ValueError, "the reason to close a WebSocket is not UTF-8");
    case ws::Refusal::TooLong:
      return fail(PyExc_ValueError,
                  "the reason to close a WebSocket has at most 123 bytes");
  }
  return true;
}

void WebSocket::end(Done how) noexcept {
  gateway::WebSocket::end(how, bridge().leave());
  while (how != Done::Killed && !is_over()) {
    if (wait_for(kOver)) continue;
    PyErr_Clear();  // a kill: the peer's answer is not waited for
    break;
  }
  request_.exchange().finish();
}

// --- who waits ---

bool WebSocket::on_gone() noexcept {
  const bool is_told = !waiters_.empty() || !is_open();
  gateway::WebSocket::on_gone();
  return is_told;
}

void WebSocket::on_news(News news) noexcept {
  for (const Waiter& each : waiters_) {
    if ((each.news & news) == 0) continue;
    each.strand->granted = true;
    each.strand->wake();
  }
}

bool WebSocket::share_time() noexcept {
  return !request_.has_had_its_share() || wait_for(kTurn);
}

bool WebSocket::wait_for(News news) noexcept {
  green::Strand* strand = green::current_strand();
  const bool is_second =
      (news & (kIn | kOver)) != 0 &&
      std::ranges::find(waiters_, news, &Waiter::news) != waiters_.end();
  if (!strand || !green::can_park() || is_second) {
    return fail(PyExc_RuntimeError,
                is_second
                    ? "another greenlet waits for this WebSocket already"
                    : "a WebSocket can be waited for only in a greenlet of its worker");
  }
  waiters_.push_back({strand, news});
  strand->granted = false;
  strand->waits_for = this;
  const auto reason = news == kOut ? green::ParkReason::Write : green::ParkReason::Body;
  const green::Waited waited = news == kTurn
                                   ? strand->hub().yield_now(*strand)
                                   : strand->hub().park(*strand, kNever, reason, false);
  if (strand->waits_for != this) {
    // A greenlet that was spawned outlived its request, and this.
    if (waited != green::Waited::Interrupted) {
      PyErr_SetString(PyExc_RuntimeError,
                      "the request ended while this greenlet waited for its WebSocket");
    }
    return false;
  }
  strand->waits_for = nullptr;
  std::erase_if(waiters_, [=](const Waiter& each) { return each.strand == strand; });
  return waited != green::Waited::Interrupted;
}

}  // namespace celadon::wsgi
