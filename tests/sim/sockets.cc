// What must hold of a WebSocket, by RFC 6455 and http.md (WS01 to WS09) alone: looks at
// what both sides have said and what came of it, and when.
#include <algorithm>
#include <string>

#include "sim/content.h"
#include "sim/ids.h"
#include "sim/moments.h"
#include "sim/oracle.h"
#include "sim/talk.h"

namespace celadon::sim {
namespace {

constexpr Nanos kSlack = 30 * kMillisecond;
constexpr int kNoCode = 1005;
constexpr int kLost = 1006;
constexpr int kGoingAway = 1001;
constexpr int kRestart = 1012;
constexpr int kSilent = 1011;

int code_of(std::string_view payload) {
  if (payload.size() < 2) return 0;
  const auto byte = [&](std::size_t i) {
    return static_cast<int>(static_cast<unsigned char>(payload[i]));
  };
  return byte(0) * 256 + byte(1);
}

// Of `bytes` of the client's, those in its tunnel.
std::uint64_t in_tunnel(const Conversation& c, const Record& record,
                        std::uint64_t bytes) {
  const std::uint64_t base = c.client->script().spans[record.request].end;
  return bytes - std::min(bytes, base);
}

// When the last byte that was read had come.
Nanos heard_at(const Link& link, const Record& record) {
  return std::max(record.head_at, arrival(link, link.up.taken));
}

}  // namespace

// How the server says that it ends by itself.
bool Oracle::says_that_it_ends(int code) const noexcept {
  const bool restarts = scenario_.plan.colleague != 0;
  return draining_ && (code == (restarts ? kRestart : kGoingAway));
}

// As long as its application takes no more (WS09).
std::uint64_t Oracle::read_until(const Conversation& c, const Record& record) const {
  constexpr std::uint64_t kMostBytes = 4 << 20;
  const auto queue = static_cast<std::size_t>(scenario_.rules.ws_queue);
  const Upward up(*c.client->talk());
  std::uint64_t bytes = 0;
  for (std::size_t i = record.socket.got; i < up.messages.size(); ++i) {
    bytes += up.messages[i]->size;
    if (i + 1 - record.socket.got >= queue || bytes >= kMostBytes)
      return up.messages[i]->end;
  }
  return UINT64_MAX;
}

// Nothing has come since it was asked, whoever had the time to read it. What it is
// asked may stand behind what it does not take.
bool Oracle::is_silent(const Conversation& c, const Link& link,
                       const Record& record) const {
  const Rules& rules = scenario_.rules;
  if (rules.ping_interval == 0 || rules.ping_timeout == 0) return false;
  const Nanos patience = ms(rules.ping_timeout);
  const Nanos heard = std::max(record.head_at, link.last_arrival);
  const bool may_stand_behind = c.pinged_at == kNever || link.blocked_since != kNever ||
                                clock_.now() < c.pinged_at + patience;
  if (may_stand_behind)
    return clock_.now() + kSlack >= heard + ms(rules.ping_interval) + patience;
  return bytes_at(link.arrivals, clock_.now() - kSlack) <= c.delivered_at_ping;
}

bool Oracle::may_be_silent(const Conversation& c, const Link& link) const {
  if (c.records.empty() || !c.records.back()->socket.accepted) return false;
  const Record& record = *c.records.back();
  const Rules& rules = scenario_.rules;
  const Nanos closed = record.socket.closes != 0 ? record.socket.closed_at
                       : draining_               ? std::max<Nanos>(drained_at_, 0)
                                                 : kNever;
  if (closed != kNever && clock_.now() + kSlack >= closed + ms(rules.close_timeout))
    return true;
  return is_silent(c, link, record);
}

// --- what the server says ---

void Oracle::judge_handshake(const Conversation& c, std::size_t k) {
  const Answer& answer = c.written.answers()[k];
  const Request& request = c.client->plan().requests[k];
  const std::string_view subprotocol = k % 2 == 0 ? "other" : "";
  const bool may_deflate = scenario_.rules.deflate != 0 && request.deflate != 0;
  if (!answer.says_upgrade || answer.upgrade != "websocket" ||
      answer.accept != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" ||
      answer.subprotocol != subprotocol ||
      (!answer.extensions.empty() && !may_deflate)) {
    fault("handshake", about(c, k) + "its WebSocket is accepted with other words");
  }
}

void Oracle::judge_frames(Conversation& c, const Link& link) {
  const FrameReader* frames = c.written.frames();
  if (!frames || c.records.empty()) return;
  const Record& record = *c.records.back();
  if (!frames->error().empty()) {
    return fault("frames", about(c, record.request) + frames->error());
  }
  const std::vector<SocketRecord::Sent>& sent = record.socket.sent;
  for (; c.messages < frames->messages().size(); ++c.messages) {
    const FrameReader::Message& message = frames->messages()[c.messages];
    if (c.messages < sent.size() && message.is_right &&
        message.is_text == sent[c.messages].is_text &&
        message.size == sent[c.messages].size) {
      continue;
    }
    return fault("message", about(c, record.request) + "message " +
                                std::to_string(c.messages) +
                                " is not what its application sent");
  }
  judge_pings(c, link, record);
  if (frames->close() && c.closed_with_frame_at == kNever) {
    c.closed_with_frame_at = clock_.now();
    judge_close(c, link, record);
  }
}

// Each ping is answered, once and in order; who is heard of is not asked (WS08).
void Oracle::judge_pings(Conversation& c, const Link& link, const Record& record) {
  const FrameReader& frames = *c.written.frames();
  const Upward up(*c.client->talk());
  const std::uint64_t taken = in_tunnel(c, record, link.up.taken);
  for (; c.pongs < frames.pongs().size(); ++c.pongs) {
    if (c.pongs < up.pings.size() && up.pings[c.pongs]->end <= taken &&
        up.pings[c.pongs]->payload == frames.pongs()[c.pongs]) {
      continue;
    }
    return fault("pong", about(c, record.request) + "pong " + std::to_string(c.pongs) +
                             " answers no ping");
  }
  for (; c.pings < frames.pings().size(); ++c.pings) {
    c.pinged_at = clock_.now();
    c.delivered_at_ping = link.up.delivered;
    const Nanos due =
        heard_at(link, record) + ms(std::max<Number>(scenario_.rules.ping_interval, 0));
    // What leaves only now may have been said long ago.
    const bool waited =
        link.blocked_since != kNever ||
        (link.blocked_before != kNever && link.whole_write_at == clock_.now());
    if (waited) continue;
    const bool is_off = scenario_.rules.ping_interval == 0;
    if (!is_off && (holds_ || clock_.now() + kSlack >= due)) continue;
    return fault("ping", about(c, record.request) + "is asked whether it is there, " +
                             "though it was heard of");
  }
}

void Oracle::judge_close(Conversation& c, const Link& link, const Record& record) {
  const std::string& payload = *c.written.frames()->close();
  const int code = code_of(payload);
  const Upward up(*c.client->talk());
  const std::uint64_t taken = in_tunnel(c, record, link.up.taken);
  const bool by_app = record.socket.closes == code && payload.size() == 2;
  const bool by_peer = up.end && up.end->kind == Said::Kind::Close &&
                       up.end->end <= taken && payload == up.end->payload;
  const bool by_fault = up.end && up.end->kind == Said::Kind::Wrong &&
                        up.end->begin < taken && code == up.end->code;
  const bool by_silence = code == kSilent && is_silent(c, link, record);
  const bool by_server = says_that_it_ends(code);
  if (!by_app && !by_peer && !by_fault && !by_silence && !by_server) {
    return fault("close-code", about(c, record.request) + "closed with " +
                                   std::to_string(code) + " without a reason");
  }
  c.waits_for_close = (by_app || by_server) && !by_peer && !by_fault && !by_silence;
  const auto sure = static_cast<std::size_t>(
      std::ranges::count_if(record.socket.sent, &SocketRecord::Sent::is_sure));
  if (c.messages < sure) {
    fault("message", about(c, record.request) + "closed before message " +
                         std::to_string(c.messages) + " was sent");
  }
}

// --- what the application hears ---

void Oracle::on_message(const Record& record, bool is_text, std::string_view data) {
  const Conversation& c = of(record.client);
  const Upward up(*c.client->talk());
  const std::size_t i = record.socket.got;
  const std::uint64_t taken = in_tunnel(c, record, c.client->link()->up.taken);
  const std::uint64_t content =
      message_content(request_content(record.client, record.request), i);
  if (i < up.messages.size() && up.messages[i]->end <= taken &&
      up.messages[i]->is_text == is_text && up.messages[i]->size == data.size() &&
      message_of(is_text, content, data.size()) == data) {
    return;
  }
  fault("message", about(c, record.request) + "what is received as message " +
                       std::to_string(i) + " is not what its client sent");
}

// Nothing that was sent before a polite end is lost.
void Oracle::on_socket_end(const Record& record, int code) {
  const Conversation& c = of(record.client);
  const Link& link = *c.client->link();
  const Upward up(*c.client->talk());
  const std::uint64_t taken = in_tunnel(c, record, link.up.taken);
  const bool has_end = up.end && up.end->begin < taken;
  const bool is_ours = code == record.socket.closes || says_that_it_ends(code);
  const bool is_gone = link.broken || link.send_failed || record.gone || all_closed_ ||
                       (link.unix_socket && link.client_closed);
  const bool is_peers =
      has_end &&
      code == (up.end->kind == Said::Kind::Close && up.end->code == 0 ? kNoCode
                                                                      : up.end->code);
  const bool by_silence =
      code == kSilent && (c.pinged_at != kNever || is_silent(c, link, record));
  const bool is_lost =
      code == kLost && (is_gone || link.up.end_arrived || may_be_silent(c, link) ||
                        write_is_overdue(link));
  if (!is_ours && !is_peers && !by_silence && !is_lost) {
    return fault("close-code", about(c, record.request) + "its application hears " +
                                   std::to_string(code) + " without a reason");
  }
  if (is_ours || is_gone || by_silence) return;
  const std::size_t whole =
      is_peers ? up.messages.size()
               : up.messages_within(in_tunnel(c, record, link.up.delivered));
  if (!link.up.end_arrived && !is_peers) return;
  if (record.socket.got == whole) return;
  fault("message", about(c, record.request) + "its application hears of an end after " +
                       std::to_string(record.socket.got) + " of " +
                       std::to_string(whole) + " messages");
}

// --- what is read ---

// What its application does not take is not read, but for what one read brings.
void Oracle::check_socket_input(const Conversation& c, const Link& link,
                                const Record& record) {
  constexpr std::uint64_t kOneRead = 64 * 1024;
  const bool open = !link.server_shut && !record.released && !record.finished &&
                    record.socket.closes == 0 && !record.socket.over && !draining_;
  if (!open || c.closed_with_frame_at != kNever) return;
  const std::uint64_t until = read_until(c, record);
  if (until == UINT64_MAX) return;
  const auto most = static_cast<std::uint64_t>(scenario_.rules.body_buffer);
  if (in_tunnel(c, record, link.up.taken) <= until + most + 2 * kOneRead) return;
  fault("input",
        about(c, record.request) + "more of its WebSocket is read than anybody takes");
}

// --- what must have happened by now ---

// Its client takes all that is sent.
void Oracle::check_socket(const Conversation& c, const Link& link,
                          const Record& record) {
  if (record.gone || record.finished || record.socket.over) return;
  const Upward up(*c.client->talk());
  const bool ends =
      c.closed_with_frame_at != kNever || record.socket.closes != 0 || draining_;
  const std::uint64_t until = ends ? UINT64_MAX : read_until(c, record);
  const std::uint64_t here = in_tunnel(c, record, link.up.delivered);
  const std::uint64_t seen = std::min(here, until);
  const bool rests = here >= until;  // until its application takes some
  if (!rests && !link.up.arrived.empty()) {
    return fault("hangs",
                 about(c, record.request) + "what comes on its WebSocket is not read");
  }
  if (c.written.frames() && c.pongs < up.pings_within(seen)) {
    return fault("pong", about(c, record.request) + "a ping is not answered");
  }
  if (!ends && record.reads_since != kNever &&
      up.messages_within(seen) > record.socket.got) {
    return fault("hangs", about(c, record.request) +
                              "a message is there, and its receiver is not told");
  }
  if (up.end && up.end->end <= seen) {
    return fault("not-ended", about(c, record.request) +
                                  "its client has closed its WebSocket, or broken a "
                                  "rule, and nothing follows");
  }
  if (link.up.end_arrived && !rests) {
    return fault("not-told", about(c, record.request) +
                                 "its WebSocket goes on behind the end of file");
  }
  if (ends && c.closed_with_frame_at == kNever) {
    return fault("not-told",
                 about(c, record.request) + "the end of its WebSocket is not said");
  }
  if (!rests) check_socket_time(c, link, record);
}

// Who is silent is asked, and given up in the end; so is who answers no close frame.
void Oracle::check_socket_time(const Conversation& c, const Link& link,
                               const Record& record) {
  const Rules& rules = scenario_.rules;
  if (c.closed_with_frame_at != kNever) {
    const Nanos since = std::max(c.closed_with_frame_at, link.last_delivery);
    return late(link, since + 2 * ms(rules.close_timeout) + kSlack,
                "the answer to a close frame is waited for");
  }
  if (rules.ping_interval == 0) return;
  const Nanos heard = std::max(record.head_at, link.last_arrival);
  // It rests while nobody takes what came or what was sent.
  const Nanos rested = std::max(record.socket.got_at, link.whole_write_at);
  if (c.pinged_at == kNever || c.pinged_at < heard) {
    return late(link, std::max(heard, rested) + ms(rules.ping_interval) + kSlack,
                "it is not asked whether it is there");
  }
  if (rules.ping_timeout == 0) return;
  const Nanos asked = std::max({c.pinged_at, link.last_delivery, rested});
  late(link, asked + ms(rules.ping_interval + 2 * rules.ping_timeout) + kSlack,
       "it answers no ping and is kept");
}

// --- its end ---

// It is said, and what its peer has to answer is waited for.
void Oracle::judge_socket_end(const Conversation& c, const Link& link) {
  if (c.records.empty() || !c.records.back()->socket.accepted) return;
  const Record& record = *c.records.back();
  const Ending ending = ending_of(link);
  if (ending.behind_end || record.aborted) return;
  if (c.closed_with_frame_at == kNever) {
    return fault("no-close-frame",
                 about(c, record.request) + "its WebSocket ends without a close frame");
  }
  const Upward up(*c.client->talk());
  const bool is_answered =
      up.end && up.end->begin < in_tunnel(c, record, ending.delivered);
  if (!c.waits_for_close || is_answered || record.socket.killed) return;
  const Nanos since = record.socket.closes != 0 ? record.socket.closed_at : drained_at_;
  const Nanos due = since + ms(scenario_.rules.close_timeout);
  if (ending.at + kSlack >= due) return;
  fault("early", about(c, record.request) +
                     "the answer to a close frame is not waited "
                     "for: " +
                     std::to_string((due - ending.at) / kMillisecond) + " ms are left");
}

}  // namespace celadon::sim
