#include "wsgi/websocket.h"

#include <algorithm>
#include <array>
#include <utility>

#include "gateway/exceptions.h"
#include "green/switch.h"
#include "wsgi/bridge.h"
#include "wsgi/request.h"

namespace celadon::wsgi {
namespace {

constexpr std::size_t kInboxBytes = std::size_t{4} << 20;  // WS09

}  // namespace

WebSocket::WebSocket(Request& request, ws::Handshake handshake) noexcept
    : request_(request),
      options_(request.bridge().options().websocket),
      handshake_(std::move(handshake)),
      out_(request.bridge().frames()) {}

// Who still waits belongs to a request that has ended, and is told so.
WebSocket::~WebSocket() {
  for (const Waiter& each : waiters_) each.strand->waits_for = nullptr;
  wake_all();
  if (accepted()) --request_.bridge().load().websockets;
}

Bridge& WebSocket::bridge() const noexcept {
  return request_.bridge();
}

green::Hub& WebSocket::hub() const noexcept {
  return bridge().hub();
}

Nanos WebSocket::now() const noexcept {
  return hub().loop().now();
}

bool WebSocket::is_full() const noexcept {
  return is_open() && (inbox_.size() >= options_.queue || inbox_bytes_ >= kInboxBytes);
}

// --- what the application calls ---

bool WebSocket::may_accept(std::string_view subprotocol,
                           const OwnFields& fields) const noexcept {
  if (accepted()) {
    PyErr_SetString(PyExc_RuntimeError, "the WebSocket was accepted already");
    return false;
  }
  if (!subprotocol.empty() && !ws::offers_subprotocol(handshake_, subprotocol)) {
    PyErr_SetString(PyExc_ValueError, "the client has not offered that subprotocol");
    return false;
  }
  for (const http::HeaderView& each : fields.views()) {
    if (!ws::is_of_handshake(each.name)) continue;
    PyErr_Format(PyExc_ValueError, "%s is the server's to say",
                 std::string(each.name).c_str());
    return false;
  }
  return true;
}

bool WebSocket::accept(std::string_view subprotocol, const OwnFields& own) noexcept {
  if (!may_accept(subprotocol, own)) return false;
  const ws::Acceptance acceptance =
      ws::accept(handshake_, subprotocol, options_.protocol.deflate);
  std::vector<http::HeaderView> fields = acceptance.fields();
  fields.insert(fields.end(), own.views().begin(), own.views().end());
  http::ResponseHead head;
  head.has_request_id = own.has_request_id();
  head.status = 101;
  head.reason = "Switching Protocols";
  head.headers = fields;
  server::Exchange& x = request_.exchange();
  conversation_ = std::make_unique<ws::Conversation>(
      options_.protocol, now(), acceptance.deflate, request_.bridge().deflate_pool());
  if (x.open_tunnel(head) == server::Sent::Gone) {
    loop::TurnHook::unlink();
    conversation_.reset();
    if (x.gone()) return gateway::raise_gone();
    PyErr_SetString(PyExc_RuntimeError,
                    "the answer has begun, or this connection ends with it: it cannot "
                    "be a WebSocket");
    return false;
  }
  subprotocol_ = subprotocol;
  handshake_ = {};  // a client may make it large
  ++request_.bridge().load().websockets;
  ++request_.bridge().counters().websockets;
  request_.on_switched();
  look_soon();  // at what came meanwhile
  return true;
}

std::vector<std::string_view> WebSocket::subprotocols() const {
  return ws::offered_subprotocols(request_.exchange().request());
}

bool WebSocket::receive(std::optional<Message>& out) noexcept {
  // Whose client sends much would never have to wait.
  if (!accept_first() || !share_time()) return false;
  while (true) {
    if (inbox_.empty()) look();
    if (!inbox_.empty()) break;
    if (!is_open()) return true;
    if (!wait_for(In)) return false;
  }
  out = std::move(inbox_.front());
  inbox_.pop_front();
  inbox_bytes_ -= out->data.size();
  if (pauses_) look_soon();
  return true;
}

bool WebSocket::send(bool is_text, std::string_view data) noexcept {
  if (!accept_first() || !share_time()) return false;
  while (blocked_ && is_open()) {
    if (!wait_for(Out)) return false;
  }
  const ws::Refusal refusal = is_text ? conversation_->send_text(data, out_)
                                      : conversation_->send_binary(data, out_);
  if (refusal != ws::Refusal::None) return raise_closed();
  ++request_.bridge().counters().messages_sent;
  flush(request_.bridge().leave());
  return conversation_->state() == ws::State::Closed ? raise_closed() : true;
}

bool WebSocket::close(std::uint16_t code, std::string_view reason) noexcept {
  if (!accept_first()) return false;
  const Delivery delivery = request_.exchange().how_far();
  switch (conversation_->close(code, reason, now(), out_, delivery)) {
    case ws::Refusal::None: break;
    case ws::Refusal::NotOpen: return true;
    case ws::Refusal::BadCode:
      PyErr_Format(PyExc_ValueError, "%d is no code to close a WebSocket with",
                   static_cast<int>(code));
      return false;
    case ws::Refusal::BadReason:
      PyErr_SetString(PyExc_ValueError, "a reason to close a WebSocket needs a code");
      return false;
    case ws::Refusal::TooLong:
      PyErr_SetString(PyExc_ValueError,
                      "the reason to close a WebSocket has at most 123 bytes");
      return false;
  }
  flush(request_.bridge().leave());
  rearm();
  wake_all();
  return true;
}

void WebSocket::end(std::uint16_t code, Answer answer) noexcept {
  [[maybe_unused]] const auto refusal =
      conversation_->close(code, {}, now(), out_, request_.exchange().how_far());
  wake_all();
  inbox_.clear();
  inbox_bytes_ = 0;
  while (true) {
    look();
    if (!ws::hears(conversation_->state())) break;
    if (answer == Answer::Awaited && wait_for(End)) continue;
    PyErr_Clear();  // a kill: the peer's answer is not waited for
    break;
  }
  flush(net::Leave::Now);
  request_.exchange().finish();
}

bool WebSocket::raise_closed() noexcept {
  PyErr_SetString(gateway::exceptions().client_disconnected, "the WebSocket is closed");
  return false;
}

// --- what the exchange tells ---

void WebSocket::on_body() noexcept {
  look_soon();
  wake(In);
}

void WebSocket::on_writable() noexcept {
  if (std::exchange(blocked_, false) && accepted()) {
    conversation_->on_reading_again(now());
    look_soon();
  }
  wake(Out);
}

bool WebSocket::on_gone() noexcept {
  const bool is_told = !waiters_.empty() || !is_open();
  lose();
  return is_told;
}

void WebSocket::on_closing(server::Closing how) noexcept {
  closes_ = how == server::Closing::Restart ? ws::close_code::kServiceRestart
                                            : ws::close_code::kGoingAway;
  look_soon();
}

// --- what follows ---

void WebSocket::look_soon() noexcept {
  if (!loop::TurnHook::linked()) hub().loop().add_hook(*this);
}

void WebSocket::on_turn_end() noexcept {
  loop::TurnHook::unlink();
  if (accepted()) look();
}

void WebSocket::on_timer() noexcept {
  pump();
  if (!rests() && ws::hears(conversation_->state())) {
    conversation_->on_time(now(), out_, request_.exchange().how_far());
    if (conversation_->state() == ws::State::GivenUp) log_fault();
  }
  look();
}

void WebSocket::look() noexcept {
  pump();
  if (closes_ != 0 && is_open()) {
    [[maybe_unused]] const auto refusal =
        conversation_->close(closes_, {}, now(), out_, request_.exchange().how_far());
  }
  flush(net::Leave::Now);
  if (ws::ends(conversation_->state())) end_transport();
  rearm();
  if (!inbox_.empty() || !is_open()) wake(In);
  if (!is_open()) wake(Out);
  if (!ws::hears(conversation_->state())) wake(End);
}

void WebSocket::pump() noexcept {
  if (!is_full() && pauses_) conversation_->on_reading_again(now());
  server::Exchange& x = request_.exchange();
  while (ws::hears(conversation_->state())) {
    pauses_ = is_full();
    if (pauses_) return;
    std::string_view in = x.body();
    const std::size_t before = in.size();
    const auto event = conversation_->receive(in, now(), out_);
    if (event) take(*event);
    if (before > in.size()) x.consume_body(before - in.size());
    if (!event) break;
  }
  note_end_of_body();
}

void WebSocket::take(const ws::Event& event) {
  if (event.kind == ws::Event::Kind::Closed) return log_fault();
  const bool is_text = event.kind == ws::Event::Kind::Text;
  if (!is_text && event.kind != ws::Event::Kind::Binary) return;
  ++request_.bridge().counters().messages_received;
  inbox_.push_back({is_text, conversation_->take_message()});
  inbox_bytes_ += inbox_.back().data.size();
}

// Why it was failed, as of a bad request; nothing where it ends as it may.
void WebSocket::log_fault() noexcept {
  const ws::Ending& ending = conversation_->ending();
  if (ending.fault == ws::Fault::None) return;
  ++request_.bridge().counters().websocket_faults;
  request_.bridge().log().log(Level::Info,
                              request_.describe() + ": WebSocket closed with " +
                                  std::to_string(ending.code) + ": " + ending.reason);
}

// Its end of file, where no close frame came before it.
void WebSocket::note_end_of_body() noexcept {
  const server::Exchange& x = request_.exchange();
  if (x.body_state() == server::BodyState::Open || !x.body().empty()) return;
  if (ws::hears(conversation_->state())) conversation_->on_transport_end();
}

// As one write, where it is not much.
void WebSocket::flush(net::Leave leave) noexcept {
  while (!out_.empty()) {
    std::array<iovec, 16> pieces;
    const std::size_t count = out_.gather(pieces);
    std::size_t size = 0;
    for (std::size_t i = 0; i < count; ++i) {
      size += pieces[i].iov_len;
      const bool is_last = size == out_.bytes();
      const std::string_view piece{static_cast<const char*>(pieces[i].iov_base),
                                   pieces[i].iov_len};
      const server::Sent sent = request_.exchange().send_data(
          piece, {}, is_last ? leave : net::Leave::AtTurnEnd);
      if (sent == server::Sent::Gone) {
        out_.clear();
        return lose();
      }
      if (sent == server::Sent::Full) blocked_ = true;
    }
    out_.consume(size);
  }
}

// Within flush() of another one maybe, to whom the queue belongs then.
void WebSocket::lose() noexcept {
  conversation_->on_transport_end();
  wake_all();
}

// Now, whatever the view does before it returns (RFC 6455 7.1.1).
void WebSocket::end_transport() noexcept {
  server::Exchange& x = request_.exchange();
  if (conversation_->state() == ws::State::GivenUp) {
    x.give_up();
  } else {
    x.finish();
  }
}

void WebSocket::rearm() noexcept {
  const Nanos when = rests() ? kNever : conversation_->due();
  if (when == kNever) return loop::Timer::cancel();
  if (!loop::Timer::armed() || loop::Timer::deadline() != when)
    hub().loop().arm(*this, when);
}

// --- who waits ---

void WebSocket::wake(Side side) noexcept {
  for (const Waiter& each : waiters_) {
    if (each.side != side) continue;
    each.strand->granted = true;
    each.strand->wake();
  }
}

bool WebSocket::waits(Side side) const noexcept {
  return std::ranges::find(waiters_, side, &Waiter::side) != waiters_.end();
}

void WebSocket::wake_all() noexcept {
  for (const Side side : {In, Out, End}) wake(side);
}

bool WebSocket::share_time() noexcept {
  return !request_.has_had_its_share() || wait_for(Turn);
}

bool WebSocket::wait_for(Side side) noexcept {
  green::Strand* strand = green::current_strand();
  const bool is_second = (side == In || side == End) && waits(side);
  if (!strand || !green::can_park() || is_second) {
    PyErr_SetString(PyExc_RuntimeError,
                    is_second
                        ? "another greenlet waits for this WebSocket already"
                        : "a WebSocket can be waited for only in a greenlet of its "
                          "worker");
    return false;
  }
  waiters_.push_back({strand, side});
  strand->granted = false;
  strand->waits_for = this;
  const auto reason = side == Out ? green::ParkReason::Write : green::ParkReason::Body;
  const green::Waited waited = side == Turn
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
