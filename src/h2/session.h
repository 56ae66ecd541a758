// One HTTP/2 connection, sans I/O: bytes in, events out, answers in, bytes out. It
// holds no socket and reads no clock:
//
//   bytes ─► receive ─► FrameScanner ─► Guard ─► nghttp2 ─► HeadReader ─► Events
//   answers ─► queues of streams ─► nghttp2 (RFC 9218) ─► write ─► bytes
//
// nghttp2 knows frames, HPACK, windows and whose turn it is. What a request may be,
// what a peer may cost, who holds a stream and when it is gone is decided here. Window
// credit of a body returns when the server says that it was read, never before (H210).
//
// Whoever owns it calls write() once for all that a turn has put there, while what it
// got before is taken by the peer: what is not taken stays in the streams' queues, and
// who fills those is told Taken::Full.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/assert.h"
#include "base/clock.h"
#include "base/intrusive_list.h"
#include "base/out_queue.h"
#include "h2/engine.h"
#include "h2/events.h"
#include "h2/frame_scanner.h"
#include "h2/guard.h"
#include "h2/head_reader.h"
#include "h2/recent_streams.h"
#include "h2/session_state.h"
#include "h2/stream.h"
#include "h2/trailer_reader.h"

struct nghttp2_session;

namespace celadon::h2 {

// Whether a piece of an answer completes it.
enum class Part : std::uint8_t { More, Last };

enum class Taken : std::uint8_t {
  Ok,
  Full,  // taken, but wait for on_writable before the next
  Gone,  // the stream was reset, or the session has failed
};

// Whose fault a reset is: those of the peer's are bounded (H221).
enum class Blame : std::uint8_t { Peer, Us };

class Session {
 public:
  // Both outlive it. Our SETTINGS are the first that write() gives.
  Session(Engine& engine, Events& events) noexcept;
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session();

  // --- the transport ---
  // From the preface on. Once it has failed, bytes are dropped.
  void receive(std::string_view in, Nanos now) noexcept;
  // Appends frames, as long as `out` has less than `most`; the last one may go over it.
  void write(std::string& out, std::size_t most) noexcept;
  [[nodiscard]] bool has_output() const noexcept;
  // Nothing is to be said or heard any more: the transport ends behind what is queued.
  [[nodiscard]] bool is_over() const noexcept;

  // The rest of a frame, or of a header block, is to come: header_timeout.
  [[nodiscard]] bool is_amid_input() const noexcept {
    return scanner_.is_amid() || guard_.is_amid_block();
  }
  // No request is at hand: memory that large heads needed goes back.
  void trim() noexcept {
    ASSERT(count_ == 0, "a head may be on its way");
    reader_.trim();
  }

  [[nodiscard]] State state() const noexcept { return state_; }
  // Why it has failed; and what the peer was told.
  [[nodiscard]] Fault fault() const noexcept { return fault_; }
  [[nodiscard]] ErrorCode failure_code() const noexcept { return failure_code_; }
  // Requests at hand, those that were reset and are with the server still too.
  [[nodiscard]] std::size_t streams() const noexcept { return count_; }
  [[nodiscard]] const MemoryBudget& heads() const noexcept { return heads_; }

  // --- its end (H213) ---
  // The peer is asked to begin no more streams; what it begins until it has heard of
  // that is served.
  void announce_end() noexcept;
  // None is taken from here on. announce_end() comes to that by itself once the peer
  // has heard it.
  void refuse_new() noexcept;

  // --- answers ---
  // 103 and its like, before the head.
  void send_interim(Stream& stream, int status,
                    std::span<const http::HeaderView> fields) noexcept;
  // `own`: the server's fields, behind those of the application. Names in any case.
  Taken send_head(Stream& stream, int status, std::span<const http::HeaderView> fields,
                  std::span<const http::HeaderView> own, Part part) noexcept;
  // The owner is taken over in every case.
  Taken send_data(Stream& stream, std::string_view data, Owner owner,
                  Part part) noexcept;
  // The answer is whole, but for what is queued.
  void end(Stream& stream, std::span<const http::HeaderView> trailers) noexcept;
  // So much of the body was read: the peer may send as much again.
  void credit(Stream& stream, std::size_t bytes) noexcept;
  void reset(Stream& stream, ErrorCode code, Blame blame) noexcept;
  // The server is done with it; an answer that has not ended is reset. It may be gone
  // when this returns.
  void release(Stream& stream) noexcept;

  // Tells nghttp2 whom to call.
  static void install(nghttp2_session_callbacks& callbacks) noexcept;

 private:
  struct Callbacks;
  struct Delete {
    void operator()(nghttp2_session* session) const noexcept;
  };

  // What comes (session_input.cc)
  [[nodiscard]] bool may_begin(const FrameScanner::Piece& piece) noexcept;
  [[nodiscard]] Fault judge_frame(const FrameScanner::Piece& piece) const noexcept;
  [[nodiscard]] Fault judge_stream(const FrameHead& head) const noexcept;
  void feed(std::string_view bytes) noexcept;
  [[nodiscard]] bool begin_request(StreamId id) noexcept;
  void on_refused(StreamId id) noexcept;
  void on_field(bool in_trailer, std::string_view name,
                std::string_view value) noexcept;
  void on_head(Stream& stream, bool ended) noexcept;
  void offer(Stream& stream, const Head& head) noexcept;
  void on_data(Stream* stream, std::string_view data) noexcept;
  [[nodiscard]] bool fits_window(const Stream& stream, std::size_t more) const noexcept;
  void on_trailers(Stream& stream, bool ended) noexcept;
  void on_body_end(Stream& stream) noexcept;
  void fail_body(Stream& stream, http::Rejection why) noexcept;
  void on_peer_reset(Stream* stream) noexcept;
  void on_closed(StreamId id, ErrorCode code) noexcept;
  void on_ping_answered() noexcept;

  // What goes (session_output.cc)
  [[nodiscard]] std::size_t next_data(Stream& stream, std::size_t most,
                                      bool& last) noexcept;
  void put_data(Stream& stream, std::string_view head, std::size_t size) noexcept;
  void on_end_sent(Stream& stream) noexcept;
  void on_head_not_sent(Stream& stream) noexcept;
  void on_goaway_sent(std::uint32_t code) noexcept;
  void submit_trailers(Stream& stream) noexcept;
  void resume(Stream& stream) noexcept;

  // session.cc
  void set_state(State to) noexcept;
  void fail(Fault fault) noexcept;
  void blame_peer(Stream* stream) noexcept;
  void retire_if_done(Stream& stream) noexcept;
  void stop_peer_if_done(Stream& stream) noexcept;
  void forget_body(Stream& stream) noexcept;
  [[nodiscard]] Stream* find(StreamId id) const noexcept;
  [[nodiscard]] Counters& counters() noexcept { return engine_.counters(); }

  Engine& engine_;
  Events& events_;
  std::unique_ptr<nghttp2_session, Delete> library_;
  FrameScanner scanner_;
  Guard guard_;
  MemoryBudget heads_;
  HeadReader reader_;
  TrailerReader trailers_;
  RecentStreams ended_;  // by the peer
  RecentStreams reset_;  // by us, before the peer had ended them
  IntrusiveList<Stream> streams_;
  // Gone, but for who may still be looking at them.
  std::vector<std::unique_ptr<Stream>> retired_;
  IntrusiveList<Stream, RelievedTag> relieved_;
  std::size_t count_ = 0;
  std::string* out_ = nullptr;  // within write()
  std::size_t most_ = 0;
  Nanos now_ = 0;
  StreamId last_ = 0;  // the newest that was taken
  State state_ = State::Open;
  Fault fault_ = Fault::None;
  ErrorCode failure_code_ = ErrorCode::NoError;
};

}  // namespace celadon::h2
