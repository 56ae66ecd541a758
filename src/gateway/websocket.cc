#include "gateway/websocket.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "base/assert.h"
#include "gateway/describe.h"
#include "ws/handshake.h"

namespace celadon::gateway {
namespace {

constexpr std::uint16_t code_of(WebSocket::Done how) noexcept {
  switch (how) {
    case WebSocket::Done::Returned: return ws::close_code::kNormal;
    case WebSocket::Done::Raised: return ws::close_code::kInternalError;
    case WebSocket::Done::Killed: return ws::close_code::kGoingAway;
  }
  std::unreachable();
}

}  // namespace

bool refuse_handshake(server::Exchange& exchange, const WebSocketOptions& options,
                      net::Leave leave) noexcept {
  const auto handshake = ws::read_handshake(exchange.request(), options.origins);
  if (handshake) return false;
  const ws::HandshakeFaultInfo info = ws::handshake_fault_info(handshake.error());
  const std::string body = std::string(info.text) + "\n";
  std::vector<http::HeaderView> fields{{"Content-Type", "text/plain"}};
  fields.insert(fields.end(), info.fields.begin(), info.fields.end());
  http::ResponseHead head;
  head.status = info.status;
  head.reason = http::reason_phrase(info.status);
  head.headers = fields;
  head.content_length = body.size();
  head.close = info.closes;
  [[maybe_unused]] const server::Sent sent = exchange.send_whole(head, body, {}, leave);
  return true;
}

WebSocket::~WebSocket() {
  if (accepted()) --share_.load->websockets;
}

void WebSocket::set_state(WebSocketState to) noexcept {
  CHECK(may_step(state_, to), "illegal step of a WebSocket");
  state_ = to;
}

void WebSocket::set_inbox(Inbox to) noexcept {
  if (state_.inbox != to) set_state({state_.life, to, state_.outlet});
}

bool WebSocket::is_full() const noexcept {
  const WebSocketOptions& options = share_.options;
  return is_open() && (inbox_.count() >= options.queue ||
                       inbox_.bytes() >= options.queue_size);  // WS09
}

// --- what the application does ---

std::expected<void, WebSocket::Objection> WebSocket::accept(
    std::string_view subprotocol, const http::ResponseHead& own) noexcept {
  const ws::Options& options = share_.options.protocol;
  const auto handshake = ws::read_handshake(exchange_.request());
  if (!handshake) return std::unexpected(Objection::Late);
  if (!subprotocol.empty() && !ws::offers_subprotocol(*handshake, subprotocol))
    return std::unexpected(Objection::NotOffered);
  if (std::ranges::any_of(own.headers, ws::is_of_handshake, &http::HeaderView::name))
    return std::unexpected(Objection::NotOwn);
  const ws::Acceptance acceptance =
      ws::accept(*handshake, subprotocol, options.deflate);
  std::vector<http::HeaderView> fields = acceptance.fields();
  fields.insert(fields.end(), own.headers.begin(), own.headers.end());
  http::ResponseHead head;
  head.has_request_id = own.has_request_id;
  head.status = 101;
  head.reason = "Switching Protocols";
  head.headers = fields;
  if (exchange_.open_tunnel(head) == server::Sent::Gone)
    return std::unexpected(exchange_.gone() ? Objection::Gone : Objection::Late);
  conversation_ = std::make_unique<ws::Conversation>(options, now(), acceptance.deflate,
                                                     share_.deflate);
  set_state({.life = Life::Open});
  ++share_.load->websockets;
  ++share_.counters->websockets;
  look_soon();  // at what came meanwhile
  return {};
}

bool WebSocket::take(Message& out) noexcept {
  if (inbox_.empty()) look();
  if (inbox_.empty()) return false;
  out = inbox_.pop();
  if (state_.inbox == Inbox::Full) look_soon();
  return true;
}

bool WebSocket::send(bool is_text, std::string_view data, net::Leave leave) noexcept {
  const ws::Refusal refusal = is_text ? conversation_->send_text(data, share_.frames)
                                      : conversation_->send_binary(data, share_.frames);
  if (refusal != ws::Refusal::None) return false;
  ++share_.counters->messages_sent;
  flush(leave);
  settle();
  return state_.life != Life::Ended;
}

ws::Refusal WebSocket::close(std::uint16_t code, std::string_view reason,
                             net::Leave leave) noexcept {
  const ws::Refusal refusal = begin_close(code, reason);
  if (refusal != ws::Refusal::None) return refusal;
  flush(leave);
  settle();
  look_soon();  // what was not looked at while the inbox was full may be the answer
  return refusal;
}

void WebSocket::end(Done how, net::Leave leave) noexcept {
  if (begin_close(code_of(how), {}) == ws::Refusal::None) flush(leave);
  settle();
  inbox_.clear();
  look();
}

WebSocket::End WebSocket::how_it_ended() const noexcept {
  if (own_code_ != ws::close_code::kLost) return {own_code_, own_reason_};
  return {conversation_->ending().code, conversation_->ending().reason};
}

ws::Refusal WebSocket::begin_close(std::uint16_t code,
                                   std::string_view reason) noexcept {
  if (conversation_->state() != ws::State::Open) return ws::Refusal::NotOpen;
  // Its application may have computed for long, by the loop's time none.
  const Nanos since = share_.loop.fresh_now();
  const ws::Refusal refusal =
      conversation_->close(code, reason, since, share_.frames, exchange_.how_far());
  if (refusal != ws::Refusal::None) return refusal;
  own_code_ = code;
  own_reason_ = reason;
  return refusal;
}

// --- what the exchange tells ---

void WebSocket::on_body() noexcept {
  if (!accepted()) return;
  look_soon();
  on_news(kIn);
}

void WebSocket::on_writable() noexcept {
  if (!is_blocked()) return;
  set_state({state_.life, state_.inbox, Outlet::Free});
  conversation_->on_reading_again(now());
  look_soon();
  on_news(kOut);
}

// Within flush() of another one maybe, to whom the frames belong then.
void WebSocket::on_gone() noexcept {
  if (!accepted()) return;
  conversation_->on_transport_end();
  settle();
}

void WebSocket::on_closing(server::Closing how) noexcept {
  closes_ = how == server::Closing::Restart ? ws::close_code::kServiceRestart
                                            : ws::close_code::kGoingAway;
  if (accepted()) look_soon();
}

// --- what follows ---

void WebSocket::look_soon() noexcept {
  if (!loop::TurnHook::linked()) share_.loop.add_hook(*this);
}

void WebSocket::on_turn_end() noexcept {
  loop::TurnHook::unlink();
  look();
}

// It may come too early, see rearm().
void WebSocket::on_timer() noexcept {
  exchange_.want_body();  // a loop that was held may not have come to its answer yet
  pump();
  if (!state_.rests() && ws::hears(conversation_->state()))
    conversation_->on_time(now(), share_.frames, exchange_.how_far());
  look();
}

void WebSocket::look() noexcept {
  pump();
  // Of one that is not open any more there is nothing to be said.
  const bool closes = closes_ != 0 && begin_close(closes_, {}) == ws::Refusal::None;
  flush(net::Leave::Now);
  settle();
  if (closes) return look();  // what was not looked at, behind a full inbox
  if (!inbox_.empty()) on_news(kIn);
}

void WebSocket::pump() noexcept {
  if (state_.inbox == Inbox::Full && !is_full()) conversation_->on_reading_again(now());
  while (ws::hears(conversation_->state())) {
    set_inbox(is_full() ? Inbox::Full : Inbox::Takes);
    if (state_.inbox == Inbox::Full) return;
    std::string_view in = exchange_.body();
    const std::size_t before = in.size();
    const auto event = conversation_->receive(in, now(), share_.frames);
    if (event) keep(*event);
    if (before > in.size()) exchange_.consume_body(before - in.size());
    if (!event) break;
  }
  // Its end of file, where no close frame came before it.
  const bool is_whole =
      exchange_.body_state() != server::BodyState::Open && exchange_.body().empty();
  if (is_whole && ws::hears(conversation_->state())) conversation_->on_transport_end();
}

void WebSocket::keep(const ws::Event& event) {
  const bool is_text = event.kind == ws::Event::Kind::Text;
  if (!is_text && event.kind != ws::Event::Kind::Binary) return;
  ++share_.counters->messages_received;
  inbox_.push({is_text, conversation_->take_message()});
}

// As one write, where it is not much.
void WebSocket::flush(net::Leave leave) noexcept {
  OutQueue& out = share_.frames;
  while (!out.empty()) {
    std::array<iovec, 16> pieces;
    const std::size_t count = out.gather(pieces);
    std::size_t size = 0;
    for (std::size_t i = 0; i < count; ++i) {
      size += pieces[i].iov_len;
      const bool is_last = size == out.bytes();
      const std::string_view piece{static_cast<const char*>(pieces[i].iov_base),
                                   pieces[i].iov_len};
      const server::Sent sent =
          exchange_.send_data(piece, {}, is_last ? leave : net::Leave::AtTurnEnd);
      if (sent == server::Sent::Gone) {
        out.clear();
        return conversation_->on_transport_end();
      }
      if (sent == server::Sent::Full && is_open())
        set_state({state_.life, state_.inbox, Outlet::Blocked});
    }
    out.consume(size);
  }
}

// What the conversation has come to is done: its transport ends, who waits is told.
void WebSocket::settle() noexcept {
  const Life life = life_of(conversation_->state());
  if (life != state_.life) {
    set_state({.life = life});
    if (life == Life::Ended) {
      log_fault();
      end_transport();
    }
    on_news(life == Life::Ended ? kIn | kOut | kOver : kIn | kOut);
  }
  rearm();
}

// Now, whatever the application does (RFC 6455 7.1.1). One that was lost has none.
void WebSocket::end_transport() noexcept {
  if (!ws::ends(conversation_->state())) return;
  if (conversation_->state() == ws::State::GivenUp) {
    exchange_.give_up();
  } else {
    exchange_.finish();
  }
}

// It is moved only where it would come too late: each message would move it else.
void WebSocket::rearm() noexcept {
  const Nanos when = state_.rests() ? kNever : conversation_->due();
  if (when == kNever) return loop::Timer::cancel();
  if (!loop::Timer::armed() || loop::Timer::deadline() > when)
    share_.loop.arm(*this, when);
}

// Why it was failed, as of a bad request; nothing where it ends as it may.
void WebSocket::log_fault() noexcept {
  const ws::Ending& ending = conversation_->ending();
  if (ending.fault == ws::Fault::None) return;
  ++share_.counters->websocket_faults;
  const bool is_ours = ending.fault == ws::Fault::NoMemory;
  share_.log.log(is_ours ? Level::Error : Level::Info,
                 describe(exchange_) + ": WebSocket closed with " +
                     std::to_string(ending.code) + ": " + ending.reason);
}

}  // namespace celadon::gateway
