// What comes from the peer.
#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <optional>

#include "base/assert.h"
#include "h2/session.h"

namespace celadon::h2 {
namespace {

using http::Rejection;

Fault fault_of(ssize_t error) noexcept {
  switch (error) {
    case NGHTTP2_ERR_BAD_CLIENT_MAGIC: return Fault::BadPreface;
    case NGHTTP2_ERR_FLOODED: return Fault::ControlQueue;
    default: return Fault::Internal;
  }
}

std::optional<std::uint64_t> announced_length(const http::Request& request) noexcept {
  if (!request.find(http::HeaderId::ContentLength)) return std::nullopt;
  return request.content_length;
}

}  // namespace

void Session::receive(std::string_view in, Nanos now) noexcept {
  now_ = now;
  while (!in.empty() && !has_failed(state_)) {
    const FrameScanner::Piece piece = scanner_.next(in);
    if (piece.begins && !may_begin(piece)) break;
    if (!piece.bytes.empty()) feed(piece.bytes);
  }
  retired_.clear();
}

bool Session::may_begin(const FrameScanner::Piece& piece) noexcept {
  Fault fault = guard_.on_frame(*piece.begins, now_);
  if (fault == Fault::None) fault = judge_frame(piece);
  if (fault != Fault::None) fail(fault);
  return fault == Fault::None;
}

// What nghttp2 does not look at.
Fault Session::judge_frame(const FrameScanner::Piece& piece) const noexcept {
  const FrameHead& head = *piece.begins;
  switch (head.type) {
    case FrameType::Priority:
      if (head.length != kPrioritySize) return Fault::None;
      return head.stream == 0 ||
                     parse_stream_id(piece.bytes.substr(kFrameHead)) == head.stream
                 ? Fault::BadPriority
                 : Fault::None;
    case FrameType::Data:
    case FrameType::Headers: return judge_stream(head);
    default: return Fault::None;
  }
}

// nghttp2 passes over what comes for a stream that it does not know any more.
Fault Session::judge_stream(const FrameHead& head) const noexcept {
  const StreamId id = head.stream;
  if (id > last_ || nghttp2_session_find_stream(library_.get(), id)) return Fault::None;
  if (ended_.has(id)) return Fault::StreamClosed;
  // An even one, and none, it does judge.
  const bool is_peers = id % 2 == 1;
  return head.type == FrameType::Headers && is_peers && !reset_.has(id)
             ? Fault::StreamOrder
             : Fault::None;
}

// At most one frame, or a piece of one.
void Session::feed(std::string_view bytes) noexcept {
  const ssize_t taken = nghttp2_session_mem_recv(
      library_.get(), reinterpret_cast<const std::uint8_t*>(bytes.data()),
      bytes.size());
  if (has_failed(state_)) return;
  const Fault fault =
      taken < 0
          ? fault_of(taken)
          : guard_.on_queue(nghttp2_session_get_outbound_queue_size(library_.get()));
  if (fault != Fault::None) fail(fault);
}

// --- heads ---

// False: there is no place for it.
bool Session::begin_request(StreamId id) noexcept {
  guard_.on_stream();
  last_ = id;
  if (count_ >= engine_.options().max_streams) {
    ++counters().refused_streams;
    CHECK(nghttp2_submit_rst_stream(library_.get(), NGHTTP2_FLAG_NONE, id,
                                    NGHTTP2_REFUSED_STREAM) == 0,
          "nghttp2 has no memory");
    return false;
  }
  auto* stream = new Stream(id);
  streams_.push_back(*stream);
  ++count_;
  nghttp2_session_set_stream_user_data(library_.get(), id, stream);
  reader_.reset();
  return true;
}

// By nghttp2, since the peer has not heard yet how many there may be.
void Session::on_refused(StreamId id) noexcept {
  ++counters().refused_streams;
  reset_.add(id);
}

void Session::on_field(bool in_trailer, std::string_view name,
                       std::string_view value) noexcept {
  if (in_trailer) {
    trailers_.take(name, value);
  } else {
    reader_.take(name, value);
  }
  const std::size_t decoded = in_trailer ? trailers_.decoded() : reader_.decoded();
  if (decoded > engine_.options().bounds.decoded) fail(Fault::HeaderBomb);
}

void Session::on_head(Stream& stream, bool ended) noexcept {
  const Rejection why = reader_.finish(ended);
  stream.set_receiving(ended ? Receiving::Over : Receiving::Body);
  const Head head{.request = reader_.request(),
                  .bytes = reader_.bytes(),
                  .scheme = reader_.pseudo(Pseudo::Scheme),
                  .protocol = reader_.pseudo(Pseudo::Protocol),
                  .priority = reader_.priority(),
                  .ended = ended};
  if (is_malformed(why)) {
    ++counters().malformed;
    events_.on_malformed(why, head);
    stream.set_holder(Holder::Nobody);
    reset(stream, ErrorCode::ProtocolError, Blame::Peer);
    return;
  }
  const std::size_t weight = reader_.weight();
  if (!heads_.charge(weight)) {
    ++counters().refused_streams;
    stream.set_holder(Holder::Nobody);
    reset(stream, ErrorCode::RefusedStream, Blame::Us);
    return;
  }
  stream.length() = BodyLength(announced_length(head.request), engine_.limits().body);
  stream.set_weight(weight);
  stream.set_holder(Holder::Server);
  ++counters().requests;
  if (why == Rejection::None) return offer(stream, head);
  events_.on_refused(stream, why, head);
}

void Session::offer(Stream& stream, const Head& head) noexcept {
  // Else it stays what a PRIORITY_UPDATE frame said before it.
  if (head.priority != Priority{}) {
    const nghttp2_extpri priority{.urgency = head.priority.urgency,
                                  .inc = head.priority.incremental};
    nghttp2_session_change_extpri_stream_priority(library_.get(), stream.id(),
                                                  &priority, 0);
  }
  events_.on_request(stream, head);
}

// --- bodies ---

void Session::on_data(Stream* stream, std::string_view data) noexcept {
  guard_.on_data(data.size());
  const bool is_read = stream && stream->receiving() == Receiving::Body &&
                       stream->events() && fits_window(*stream, data.size());
  const Rejection why = is_read ? stream->length().take(data.size()) : Rejection::None;
  if (!is_read || why != Rejection::None) {
    // Other streams share the window of the connection.
    CHECK(nghttp2_session_consume_connection(library_.get(), data.size()) == 0,
          "nghttp2 has no memory");
    if (why != Rejection::None) fail_body(*stream, why);
    return;
  }
  stream->note_got(data.size());
  stream->events()->on_data(data);
}

// nghttp2 hands over what breaks a window too, and resets the stream for it next.
bool Session::fits_window(const Stream& stream, std::size_t more) const noexcept {
  constexpr std::uint32_t kFirstWindow = 65'535;  // until our SETTINGS are heard
  return stream.unread() + more <=
         std::max(engine_.options().initial_window, kFirstWindow);
}

void Session::on_trailers(Stream& stream, bool ended) noexcept {
  if (stream.receiving() != Receiving::Body) return;
  if (!ended) return fail_body(stream, Rejection::BadTrailer);
  if (trailers_.why() != Rejection::None) return fail_body(stream, trailers_.why());
  if (stream.length().end() == Rejection::None && stream.events()) {
    const auto fields = trailers_.fields();
    stream.events()->on_trailers(fields);
  }
  on_body_end(stream);
}

void Session::on_body_end(Stream& stream) noexcept {
  if (stream.receiving() != Receiving::Body) return;
  const Rejection why = stream.length().end();
  if (why != Rejection::None && stream.events()) return fail_body(stream, why);
  stream.set_receiving(Receiving::Over);
  if (stream.events()) stream.events()->on_end();
  retire_if_done(stream);
}

void Session::fail_body(Stream& stream, Rejection why) noexcept {
  stream.set_receiving(Receiving::Over);
  if (stream.events()) stream.events()->on_body_failed(why);
  if (!is_malformed(why)) return retire_if_done(stream);
  ++counters().malformed;
  if (stream.sending() == Sending::Over) return retire_if_done(stream);
  reset(stream, ErrorCode::ProtocolError, Blame::Peer);
  if (stream.events()) stream.events()->on_reset(ErrorCode::ProtocolError);
}

// --- ends ---

void Session::on_peer_reset(Stream* stream) noexcept {
  if (!stream || stream->is_over()) return;
  ++counters().peer_resets;
  if (stream->sending() != Sending::Waiting) return;
  const Fault fault = guard_.on_cancel();
  if (fault != Fault::None) fail(fault);
}

// The peer has read what came before the ping.
void Session::on_ping_answered() noexcept {
  if (state_ == State::Announced) refuse_new();
}

// nghttp2 knows nothing of it any more.
void Session::on_closed(StreamId id, ErrorCode code) noexcept {
  const bool by_peer = nghttp2_session_get_stream_remote_close(library_.get(), id) == 1;
  (by_peer ? ended_ : reset_).add(id);
  Stream* const found = find(id);
  if (!found) return;
  Stream& stream = *found;
  const bool was_over = stream.is_over();
  stream.cut();
  if (stream.holder() == Holder::Codec) {
    stream.set_holder(Holder::Nobody);
  } else if (!was_over && stream.events()) {
    stream.events()->on_reset(code);
  }
  retire_if_done(stream);
}

}  // namespace celadon::h2
