#include "h2/callbacks.h"

namespace celadon::h2 {
namespace {

Session& self(void* user) noexcept {
  return *static_cast<Session*>(user);
}

// A session that has failed is told nothing any more.
int answer(const Session& session) noexcept {
  return has_failed(session.state()) ? NGHTTP2_ERR_CALLBACK_FAILURE : 0;
}

std::string_view text(const std::uint8_t* bytes, std::size_t size) noexcept {
  return {reinterpret_cast<const char*>(bytes), size};
}

bool ends_stream(const nghttp2_frame_hd& head) noexcept {
  return (head.flags & NGHTTP2_FLAG_END_STREAM) != 0;
}

bool is_trailer(const nghttp2_frame& frame) noexcept {
  return frame.headers.cat != NGHTTP2_HCAT_REQUEST;
}

}  // namespace

int Session::Callbacks::on_begin_headers(nghttp2_session*, const nghttp2_frame* frame,
                                         void* user) noexcept {
  Session& s = self(user);
  if (is_trailer(*frame)) {
    s.trailers_.reset();
    return 0;
  }
  return s.begin_request(frame->hd.stream_id) ? 0
                                              : NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

int Session::Callbacks::on_header(nghttp2_session*, const nghttp2_frame* frame,
                                  const std::uint8_t* name, std::size_t name_size,
                                  const std::uint8_t* value, std::size_t value_size,
                                  std::uint8_t, void* user) noexcept {
  Session& s = self(user);
  s.on_field(is_trailer(*frame), text(name, name_size), text(value, value_size));
  return answer(s);
}

int Session::Callbacks::on_frame(nghttp2_session*, const nghttp2_frame* frame,
                                 void* user) noexcept {
  Session& s = self(user);
  Stream* const stream = s.find(frame->hd.stream_id);
  const bool ends = ends_stream(frame->hd);
  switch (frame->hd.type) {
    case NGHTTP2_HEADERS:
      if (!stream) break;
      if (is_trailer(*frame)) {
        s.on_trailers(*stream, ends);
      } else {
        s.on_head(*stream, ends);
      }
      break;
    case NGHTTP2_DATA:
      if (stream && ends) s.on_body_end(*stream);
      break;
    case NGHTTP2_RST_STREAM: s.on_peer_reset(stream); break;
    case NGHTTP2_PING:
      if ((frame->hd.flags & NGHTTP2_FLAG_ACK) != 0) s.on_ping_answered();
      break;
    case NGHTTP2_GOAWAY:
      s.events_.on_goaway(static_cast<ErrorCode>(frame->goaway.error_code));
      break;
    default: break;
  }
  return answer(s);
}

int Session::Callbacks::on_data_chunk(nghttp2_session*, std::uint8_t, std::int32_t id,
                                      const std::uint8_t* data, std::size_t size,
                                      void* user) noexcept {
  Session& s = self(user);
  s.on_data(s.find(id), text(data, size));
  return answer(s);
}

int Session::Callbacks::on_stream_close(nghttp2_session*, std::int32_t id,
                                        std::uint32_t code, void* user) noexcept {
  self(user).on_closed(id, static_cast<ErrorCode>(code));
  return 0;
}

// A stream error, which is answered by a reset; or the connection ends anyway.
int Session::Callbacks::on_invalid_frame(nghttp2_session*, const nghttp2_frame* frame,
                                         int error, void* user) noexcept {
  Session& s = self(user);
  const StreamId id = frame->hd.stream_id;
  if (error == NGHTTP2_ERR_REFUSED_STREAM) {
    s.on_refused(id);
  } else if (id != 0) {
    s.blame_peer(s.find(id));
  }
  return answer(s);
}

int Session::Callbacks::on_frame_sent(nghttp2_session*, const nghttp2_frame* frame,
                                      void* user) noexcept {
  Session& s = self(user);
  Stream* const stream = s.find(frame->hd.stream_id);
  switch (frame->hd.type) {
    case NGHTTP2_HEADERS: s.guard_.on_answer(); break;
    case NGHTTP2_DATA: s.guard_.on_data_sent(frame->hd.length); break;
    case NGHTTP2_RST_STREAM:
      // Whose fault it is was settled, unless a window was not kept.
      if (stream) s.blame_peer(stream);
      return 0;
    case NGHTTP2_GOAWAY: s.on_goaway_sent(frame->goaway.error_code); return 0;
    default: return 0;
  }
  if (stream && ends_stream(frame->hd)) s.on_end_sent(*stream);
  return 0;
}

// An answer that is too large; or its stream was reset meanwhile.
int Session::Callbacks::on_frame_not_sent(nghttp2_session*, const nghttp2_frame* frame,
                                          int, void* user) noexcept {
  Session& s = self(user);
  Stream* const stream = s.find(frame->hd.stream_id);
  if (stream && frame->hd.type == NGHTTP2_HEADERS) s.on_head_not_sent(*stream);
  return 0;
}

ssize_t Session::Callbacks::read_data(nghttp2_session*, std::int32_t, std::uint8_t*,
                                      std::size_t most, std::uint32_t* flags,
                                      nghttp2_data_source* source,
                                      void* user) noexcept {
  Session& s = self(user);
  Stream& stream = *static_cast<Stream*>(source->ptr);
  bool last = false;
  const std::size_t size = s.next_data(stream, most, last);
  if (size == 0 && !last) return NGHTTP2_ERR_DEFERRED;
  if (size > 0) *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
  if (last) *flags |= NGHTTP2_DATA_FLAG_EOF;
  if (last && stream.has_trailers()) {
    *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
    s.submit_trailers(stream);
  }
  return static_cast<ssize_t>(size);
}

int Session::Callbacks::send_data(nghttp2_session*, nghttp2_frame*,
                                  const std::uint8_t* head, std::size_t size,
                                  nghttp2_data_source* source, void* user) noexcept {
  Session& s = self(user);
  s.put_data(*static_cast<Stream*>(source->ptr), text(head, kFrameHead), size);
  return s.out_->size() < s.most_ ? 0 : NGHTTP2_ERR_PAUSE;
}

void Session::install(nghttp2_session_callbacks& to) noexcept {
  using C = Callbacks;
  nghttp2_session_callbacks_set_on_begin_headers_callback(&to, &C::on_begin_headers);
  nghttp2_session_callbacks_set_on_header_callback(&to, &C::on_header);
  nghttp2_session_callbacks_set_on_frame_recv_callback(&to, &C::on_frame);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(&to, &C::on_data_chunk);
  nghttp2_session_callbacks_set_on_stream_close_callback(&to, &C::on_stream_close);
  nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(&to,
                                                               &C::on_invalid_frame);
  nghttp2_session_callbacks_set_on_frame_send_callback(&to, &C::on_frame_sent);
  nghttp2_session_callbacks_set_on_frame_not_send_callback(&to, &C::on_frame_not_sent);
  nghttp2_session_callbacks_set_send_data_callback(&to, &C::send_data);
}

}  // namespace celadon::h2
