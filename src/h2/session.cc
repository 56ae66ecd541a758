// Life of a session and of its streams: what ends, and what goes then.
#include "h2/session.h"

#include <nghttp2/nghttp2.h>

#include <array>

#include "base/assert.h"

namespace celadon::h2 {
namespace {

// Of a call that fails for want of memory alone.
void must(int result) noexcept {
  CHECK(result == 0, "nghttp2 has no memory");
}

}  // namespace

void Session::Delete::operator()(nghttp2_session* session) const noexcept {
  nghttp2_session_del(session);
}

Session::Session(Engine& engine, Events& events) noexcept
    : engine_(engine),
      events_(events),
      guard_(engine.options().bounds),
      heads_(engine.options().bounds.connection_heads, &engine.heads()),
      reader_(engine.options(), engine.limits()),
      trailers_(engine.limits()) {
  nghttp2_session* session = nullptr;
  must(nghttp2_session_server_new2(&session, engine.callbacks(), this,
                                   engine.library_options()));
  library_.reset(session);
  const Options& o = engine.options();
  const std::array<nghttp2_settings_entry, 6> settings{{
      {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, o.max_streams},
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, o.initial_window},
      {NGHTTP2_SETTINGS_MAX_FRAME_SIZE, o.max_frame},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, o.header_list},
      {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
      {NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1},
  }};
  const std::size_t count = settings.size() - (o.connect_protocol ? 0 : 1);
  must(nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, settings.data(), count));
  must(nghttp2_session_set_local_window_size(
      session, NGHTTP2_FLAG_NONE, 0, static_cast<std::int32_t>(o.connection_window)));
}

Session::~Session() {
  library_.reset();
  while (Stream* stream = streams_.pop_front()) {
    heads_.give_back(stream->weight());
    retired_.emplace_back(stream);
  }
}

bool Session::has_output() const noexcept {
  if (has_failed(state_)) return state_ == State::Failing;
  return nghttp2_session_want_write(library_.get()) != 0;
}

bool Session::is_over() const noexcept {
  if (has_failed(state_)) return state_ == State::Failed;
  return nghttp2_session_want_read(library_.get()) == 0 &&
         nghttp2_session_want_write(library_.get()) == 0;
}

void Session::set_state(State to) noexcept {
  ASSERT(kStateTable.has(state_, to), "no such step of a session");
  state_ = to;
}

// Nothing of nghttp2's is called from here on, but what frees it.
void Session::fail(Fault fault) noexcept {
  if (has_failed(state_)) return;
  fault_ = fault;
  failure_code_ = fault_info(fault).code;
  ++counters().faults[static_cast<std::size_t>(fault)];
  set_state(State::Failing);
}

// --- its end ---

void Session::announce_end() noexcept {
  if (state_ != State::Open) return;
  set_state(State::Announced);
  must(nghttp2_submit_shutdown_notice(library_.get()));
  // Once it is answered, the peer has read what came before.
  must(nghttp2_submit_ping(library_.get(), NGHTTP2_FLAG_NONE, nullptr));
}

void Session::refuse_new() noexcept {
  if (state_ != State::Open && state_ != State::Announced) return;
  set_state(State::Draining);
  must(nghttp2_submit_goaway(library_.get(), NGHTTP2_FLAG_NONE, last_, NGHTTP2_NO_ERROR,
                             nullptr, 0));
}

// --- streams ---

Stream* Session::find(StreamId id) const noexcept {
  return static_cast<Stream*>(nghttp2_session_get_stream_user_data(library_.get(), id));
}

void Session::reset(Stream& stream, ErrorCode code, Blame blame) noexcept {
  if (has_failed(state_) || stream.is_over()) return;
  if (blame == Blame::Peer) {
    blame_peer(&stream);
    if (has_failed(state_)) return;
  } else {
    static_cast<void>(stream.settle_blame());
  }
  must(nghttp2_submit_rst_stream(library_.get(), NGHTTP2_FLAG_NONE, stream.id(),
                                 static_cast<std::uint32_t>(code)));
  stream.cut();
  retire_if_done(stream);
}

void Session::blame_peer(Stream* stream) noexcept {
  if (stream && !stream->settle_blame()) return;
  ++counters().own_resets;
  const Fault fault = guard_.on_own_reset();
  if (fault != Fault::None) fail(fault);
}

void Session::release(Stream& stream) noexcept {
  if (stream.holder() != Holder::Server) return;
  stream.set_holder(Holder::Nobody);
  stream.set_events(nullptr);
  heads_.give_back(stream.weight());
  stream.set_weight(0);
  forget_body(stream);
  if (has_failed(state_)) stream.cut();
  if (stream.sending() <= Sending::Begun) {
    reset(stream, ErrorCode::InternalError, Blame::Us);
  } else {
    stop_peer_if_done(stream);
    retire_if_done(stream);
  }
}

// What nobody reads any more is no one's to wait for: other streams share the window.
void Session::forget_body(Stream& stream) noexcept {
  const std::size_t unread = stream.take_credit(stream.unread());
  if (unread == 0 || has_failed(state_)) return;
  must(nghttp2_session_consume_connection(library_.get(), unread));
}

// The answer has left, and nobody reads the rest of the request (RFC 9113 8.1).
void Session::stop_peer_if_done(Stream& stream) noexcept {
  if (has_failed(state_) || stream.holder() != Holder::Nobody) return;
  if (stream.sending() != Sending::Over ||
      nghttp2_session_get_stream_remote_close(library_.get(), stream.id()) != 0) {
    return;
  }
  static_cast<void>(stream.settle_blame());
  must(nghttp2_submit_rst_stream(library_.get(), NGHTTP2_FLAG_NONE, stream.id(),
                                 NGHTTP2_NO_ERROR));
  stream.cut();
}

void Session::retire_if_done(Stream& stream) noexcept {
  if (!stream.is_over()) return;
  stream.give_back_queue(engine_.pool());
  if (stream.holder() != Holder::Nobody) return;
  stream.set_holder(Holder::Gone);
  // It may be on its way out still.
  if (!has_failed(state_)) {
    nghttp2_session_set_stream_user_data(library_.get(), stream.id(), nullptr);
  }
  stream.ListHook<Stream>::unlink();
  retired_.emplace_back(&stream);
  --count_;
}

}  // namespace celadon::h2
