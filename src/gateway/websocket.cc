#include "gateway/websocket.h"

#include <array>
#include <utility>
#include <vector>

namespace celadon::gateway {
namespace {

constexpr std::size_t kInboxBytes = std::size_t{4} << 20;  // WS09

}  // namespace

bool refuse_handshake(server::Exchange& exchange, Bridge& bridge) noexcept {
  const auto handshake =
      ws::read_handshake(exchange.request(), bridge.options().websocket.origins);
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
  [[maybe_unused]] const server::Sent sent =
      exchange.send_whole(head, body, {}, bridge.leave());
  return true;
}

WebSocket::WebSocket(server::Exchange& exchange, Bridge& bridge, ws::DeflatePool& pool,
                     OutQueue& frames) noexcept
    : exchange_(exchange), bridge_(bridge), pool_(pool), out_(frames) {}

WebSocket::~WebSocket() {
  if (accepted()) --bridge_.load().websockets;
}

Nanos WebSocket::now() const noexcept {
  return bridge_.hub().loop().now();
}

bool WebSocket::is_full() const noexcept {
  const std::size_t most = bridge_.options().websocket.queue;
  return is_open() && (inbox_.size() >= most || inbox_bytes_ >= kInboxBytes);
}

bool WebSocket::offers(std::string_view subprotocol) const {
  const auto handshake = ws::read_handshake(exchange_.request());
  return handshake && ws::offers_subprotocol(*handshake, subprotocol);
}

// --- what the application does ---

bool WebSocket::accept(std::string_view subprotocol,
                       std::span<const http::HeaderView> own) noexcept {
  const ws::Options& options = bridge_.options().websocket.protocol;
  const auto handshake = ws::read_handshake(exchange_.request());
  if (!handshake) return false;
  const ws::Acceptance acceptance =
      ws::accept(*handshake, subprotocol, options.deflate);
  std::vector<http::HeaderView> fields = acceptance.fields();
  fields.insert(fields.end(), own.begin(), own.end());
  http::ResponseHead head;
  head.status = 101;
  head.reason = "Switching Protocols";
  head.headers = fields;
  conversation_ =
      std::make_unique<ws::Conversation>(options, now(), acceptance.deflate, pool_);
  if (exchange_.open_tunnel(head) == server::Sent::Gone) {
    conversation_.reset();
    return false;
  }
  ++bridge_.load().websockets;
  ++bridge_.counters().websockets;
  look_soon();  // at what came meanwhile
  return true;
}

bool WebSocket::take(Message& out) noexcept {
  if (inbox_.empty()) look();
  if (inbox_.empty()) return false;
  out = std::move(inbox_.front());
  inbox_.pop_front();
  inbox_bytes_ -= out.data.size();
  if (pauses_) look_soon();
  return true;
}

bool WebSocket::send(bool is_text, std::string_view data) noexcept {
  const ws::Refusal refusal = is_text ? conversation_->send_text(data, out_)
                                      : conversation_->send_binary(data, out_);
  if (refusal != ws::Refusal::None) return false;
  ++bridge_.counters().messages_sent;
  flush(bridge_.leave());
  return conversation_->state() != ws::State::Closed;
}

ws::Refusal WebSocket::close(std::uint16_t code, std::string_view reason) noexcept {
  const ws::Refusal refusal =
      conversation_->close(code, reason, now(), out_, exchange_.how_far());
  if (refusal != ws::Refusal::None) return refusal;
  own_ = {.code = code, .reason = std::string(reason)};
  flush(bridge_.leave());
  inbox_.clear();
  inbox_bytes_ = 0;
  rearm();
  look_soon();
  return refusal;
}

WebSocket::End WebSocket::how_it_ended() const noexcept {
  const ws::Ending& peers = conversation_->ending();
  const bool by_us = own_.code != ws::close_code::kLost;
  const ws::Ending& ending = by_us ? own_ : peers;
  return {ending.code, ending.reason};
}

// --- what the exchange tells ---

void WebSocket::on_writable() noexcept {
  if (!std::exchange(blocked_, false) || !accepted()) return;
  conversation_->on_reading_again(now());
  look_soon();
  on_news();
}

void WebSocket::on_gone() noexcept {
  if (accepted()) conversation_->on_transport_end();
  on_news();
}

void WebSocket::on_closing(server::Closing how) noexcept {
  closes_ = how == server::Closing::Restart ? ws::close_code::kServiceRestart
                                            : ws::close_code::kGoingAway;
  if (accepted()) look_soon();
}

// --- what follows ---

void WebSocket::look_soon() noexcept {
  if (accepted() && !loop::TurnHook::linked()) bridge_.hub().loop().add_hook(*this);
}

void WebSocket::on_turn_end() noexcept {
  loop::TurnHook::unlink();
  look();
}

void WebSocket::on_timer() noexcept {
  pump();
  if (!rests() && ws::hears(conversation_->state())) {
    conversation_->on_time(now(), out_, exchange_.how_far());
    if (!ws::hears(conversation_->state())) log_fault();
  }
  look();
}

void WebSocket::look() noexcept {
  pump();
  if (closes_ != 0 && is_open()) {
    [[maybe_unused]] const auto refusal =
        conversation_->close(closes_, {}, now(), out_, exchange_.how_far());
    own_.code = closes_;
  }
  flush(net::Leave::Now);
  if (ws::ends(conversation_->state())) end_transport();
  rearm();
  if (!inbox_.empty() || !is_open()) on_news();
}

// Now, whatever the application does (RFC 6455 7.1.1).
void WebSocket::end_transport() noexcept {
  if (conversation_->state() == ws::State::GivenUp) {
    exchange_.give_up();
  } else {
    exchange_.finish();
  }
}

void WebSocket::pump() noexcept {
  if (!is_full() && pauses_) conversation_->on_reading_again(now());
  while (ws::hears(conversation_->state())) {
    pauses_ = is_full();
    if (pauses_) return;
    std::string_view in = exchange_.body();
    const std::size_t before = in.size();
    const auto event = conversation_->receive(in, now(), out_);
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
  if (event.kind == ws::Event::Kind::Closed) return log_fault();
  const bool is_text = event.kind == ws::Event::Kind::Text;
  if (!is_text && event.kind != ws::Event::Kind::Binary) return;
  ++bridge_.counters().messages_received;
  inbox_.push_back({is_text, conversation_->take_message()});
  inbox_bytes_ += inbox_.back().data.size();
}

// Why it was failed, as of a bad request; nothing where it ends as it may.
void WebSocket::log_fault() noexcept {
  const ws::Ending& ending = conversation_->ending();
  if (ending.fault == ws::Fault::None) return;
  ++bridge_.counters().websocket_faults;
  const http::Request& request = exchange_.request();
  bridge_.log().log(Level::Info, std::string(request.text(request.method)) + " " +
                                     std::string(request.text(request.target)) +
                                     ": WebSocket closed with " +
                                     std::to_string(ending.code) + ": " +
                                     ending.reason);
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
      const server::Sent sent =
          exchange_.send_data(piece, {}, is_last ? leave : net::Leave::AtTurnEnd);
      if (sent == server::Sent::Gone) {
        out_.clear();
        conversation_->on_transport_end();
        return on_news();
      }
      if (sent == server::Sent::Full) blocked_ = true;
    }
    out_.consume(size);
  }
}

void WebSocket::rearm() noexcept {
  const Nanos when = rests() ? kNever : conversation_->due();
  if (when == kNever) return loop::Timer::cancel();
  if (!loop::Timer::armed() || loop::Timer::deadline() != when)
    bridge_.hub().loop().arm(*this, when);
}

}  // namespace celadon::gateway
