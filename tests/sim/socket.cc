#include "sim/socket.h"

#include "sim/memory.h"

namespace celadon::sim {
namespace {

using memory::Inside;

Nanos limit(Number n) {
  return n == 0 ? kNever : n * kMillisecond;
}

gateway::WebSocketOptions options_of(const Rules& rules) {
  gateway::WebSocketOptions made;
  made.queue = static_cast<std::size_t>(rules.ws_queue);
  made.origins = {"https://here"};
  ws::Options& protocol = made.protocol;
  protocol.message = static_cast<std::uint64_t>(rules.ws_message);
  protocol.ping_interval = limit(rules.ping_interval);
  protocol.ping_timeout = limit(rules.ping_timeout);
  protocol.close_timeout = limit(rules.close_timeout);
  protocol.deflate.enabled = rules.deflate != 0;
  protocol.deflate.keeps_sent = protocol.deflate.keeps_got = rules.deflate == 2;
  return made;
}

}  // namespace

Refused refusal_of(const Request& request) noexcept {
  switch (request.ws) {
    case upgrade::NoKey:
    case upgrade::ShortKey:
    case upgrade::Protocol:
    case upgrade::Extension: return {400};
    case upgrade::TwoKeys:
    case upgrade::TwoVersions:
    case upgrade::Body: return {400, true};
    case upgrade::Version: return {426};
    case upgrade::Origin: return {403};
    default: return {};
  }
}

bool SimSocket::open(Nanos now) {
  const std::string id =
      std::to_string(record_.client) + "." + std::to_string(record_.request);
  const http::HeaderView field{"X-Id", id};
  http::ResponseHead own;
  own.headers = {&field, 1};
  const bool likes_other = record_.request % 2 == 0;
  {
    const Inside inside;
    if (!WebSocket::accept(likes_other ? "other" : "", own)) return false;
  }
  record_.head_sent = record_.tunnelled = record_.socket.accepted = true;
  record_.status = 101;
  record_.head_at = now;
  record_.given = 0;
  return true;
}

SimSocket::Got SimSocket::get(Nanos now) {
  gateway::Message message;
  bool took = false;
  {
    const Inside inside;
    took = WebSocket::take(message);
  }
  if (took) {
    host_.on_message(record_, message.is_text, message.data);
    ++record_.socket.got;
    record_.socket.got_at = now;
    return Got::Message;
  }
  if (is_open()) {
    waits_for_ = kIn;
    return Got::Nothing;
  }
  host_.on_socket_end(record_, how_it_ended().code);
  return Got::End;
}

bool SimSocket::has_room() noexcept {
  if (!is_blocked()) return true;
  waits_for_ = kOut;
  return false;
}

// It is noted first: some of it may be heard within the call.
void SimSocket::send(bool is_text, const std::string& data, net::Leave leave) {
  record_.socket.sent.push_back({is_text, true, data.size()});
  record_.given += data.size();
  const Inside inside;
  if (WebSocket::send(is_text, data, leave)) return;
  record_.socket.sent.back().is_sure = false;
  record_.given -= data.size();
}

void SimSocket::bye(std::uint16_t code, Nanos now, net::Leave leave) {
  note_close(code, now);
  const Inside inside;
  if (WebSocket::close(code, {}, leave) == ws::Refusal::None) return;
  if (record_.socket.closed_at == now) record_.socket.closes = 0;
}

void SimSocket::finish(Done how, Nanos now, net::Leave leave) {
  note_close(how == Done::Returned ? 1000 : how == Done::Raised ? 1011 : 1001, now);
  const Inside inside;
  WebSocket::end(how, leave);
}

// The first one counts, and only of one that is open.
void SimSocket::note_close(int code, Nanos now) noexcept {
  if (!is_open() || record_.socket.closes != 0) return;
  record_.socket.closes = code;
  record_.socket.closed_at = now;
}

void SimSocket::on_news(News news) noexcept {
  if ((news & kOut) != 0) record_.waits_for_room = false;
  if ((news & kOver) != 0) {
    record_.socket.over = true;
    if (exchange_.ended() && !exchange_.gone()) record_.finished = true;
  }
  if ((news & waits_for_) != 0) waits_for_ = 0;
}

bool SimSocket::waits_in_vain() const noexcept {
  return ((waits_for_ & kIn) != 0 && (has_messages() || !is_open())) ||
         ((waits_for_ & kOut) != 0 && !is_blocked()) ||
         ((waits_for_ & kOver) != 0 && is_over());
}

Sockets::Sockets(loop::Loop& loop, const Rules& rules, LogSink& log)
    : options_(options_of(rules)),
      share_{.loop = loop,
             .options = options_,
             .log = log,
             .counters = &counters_,
             .load = &load_} {
  loop.add_keeper(*this);
}

}  // namespace celadon::sim
