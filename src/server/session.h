// One client connection speaking HTTP/1: reads and parses in the loop's callbacks,
// hands Exchanges to the application one at a time, renders their answers. States and
// their drawing are in session_state.h.
//
// A session lives from accept until its stream is closed and its exchange, if any, was
// released; then the loop destroys it at the end of the turn.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "http/h1/chunked.h"
#include "http/h1/parser.h"
#include "http/h1/writer.h"
#include "net/stream.h"
#include "server/counters.h"
#include "server/exchange.h"
#include "server/peers.h"
#include "server/session_state.h"
#include "server/settings.h"

namespace celadon::server {

class Server;
struct IdleTag;
struct FlushTag;

class Session final : public loop::Disposable,
                      public ListHook<Session>,
                      public ListHook<IdleTag>,
                      public ListHook<FlushTag>,
                      private net::StreamEvents,
                      private loop::Timer,
                      public Channel {
 public:
  Session(Server& server, int fd, const net::Address& peer) noexcept;
  ~Session() override;

  [[nodiscard]] static net::Address local_address(int fd) noexcept;

  // Joins the loop; false: the descriptor cannot be polled.
  [[nodiscard]] bool start() noexcept;
  // Likewise, of a connection that another server began with.
  [[nodiscard]] bool resume(const Passage& passage) noexcept;
  [[nodiscard]] State state() const noexcept { return state_; }
  // Why it ended, or would end by now.
  [[nodiscard]] Closed why() const noexcept { return why_; }
  // Sends what was corked in this turn.
  void uncork() noexcept;
  // The server is stopping: idle connections go to another one, or end soon, others
  // after their answer. Called again and again.
  void drain() noexcept;
  // Ends the connection now: evicted while idle, or past the grace period.
  void close(Closed why = Closed::Client) noexcept;
  [[nodiscard]] Exchange* exchange() const noexcept { return exchange_.get(); }
  void abandon() noexcept { stream_.abandon(); }

 private:
  // When an answer leaves that could.
  enum class Leaves : std::uint8_t { Now, WithFile, AtTurnEnd };

  // net::StreamEvents
  void on_readable() noexcept override;
  void on_drained() noexcept override;
  void on_hangup() noexcept override;
  void on_sent(std::size_t bytes) noexcept override;
  // loop::Timer
  void on_timer() noexcept override;
  // Channel
  Sent send_head(Exchange& x, const http::ResponseHead& head, std::string_view first,
                 Owner owner, Follows follows) noexcept override;
  Sent send_data(Exchange& x, std::string_view data, Owner owner) noexcept override;
  Sent send_file(Exchange& x, int file, off_t& offset,
                 std::size_t count) noexcept override;
  void send_interim(int status,
                    std::span<const http::HeaderView> headers) noexcept override;
  void finish(Exchange& x) noexcept override;
  void abort(Exchange& x) noexcept override;
  void want_body(Exchange& x) noexcept override;
  void refuse(Exchange& x, http::Rejection why) noexcept override;
  void identify(Exchange& x) noexcept override;
  void release(Exchange& x) noexcept override;

  // Life (session.cc)
  void set_state(Event event) noexcept;
  void mark_gone() noexcept;
  void on_eof() noexcept;
  void enter_idle() noexcept;
  void next_request() noexcept;
  void flush() noexcept;
  [[nodiscard]] bool pass_on() noexcept;
  void end_with_linger() noexcept;
  void start_linger() noexcept;
  void discard() noexcept;

  // Deadlines (session_timers.cc)
  void set_read_deadline(Nanos at) noexcept;
  void watch_output() noexcept;
  void rearm() noexcept;
  void on_read_deadline(Nanos now) noexcept;
  void on_body_deadline(Nanos now) noexcept;
  void on_write_deadline(Nanos now) noexcept;

  // Input (session_input.cc)
  [[nodiscard]] std::size_t read_room() const noexcept;
  void on_bytes(std::string_view bytes) noexcept;
  void on_proxy_bytes(std::string_view bytes) noexcept;
  void keep_input(std::string_view bytes) noexcept;
  void parse(std::string_view bytes, bool stored) noexcept;
  void begin(http::h1::HeadParser& parser, std::string_view bytes,
             bool stored) noexcept;
  void setup_body(Exchange& x) noexcept;
  void reject(http::Rejection why) noexcept;
  [[nodiscard]] std::string_view stored_input() const noexcept {
    return std::string_view(in_).substr(in_at_);
  }
  void drop_input(std::size_t n) noexcept;

  // Request bodies (session_body.cc)
  void feed_body(std::string_view& in) noexcept;
  void take_body_bytes(Exchange& x, std::string_view data) noexcept;
  void on_body_complete() noexcept;
  void refuse_buffered() noexcept;
  void fail_body(http::Rejection why) noexcept;
  void start_body_clock() noexcept;
  void send_continue(Exchange& x) noexcept;
  [[nodiscard]] bool store_body(Exchange& x, std::string_view data) noexcept;
  [[nodiscard]] bool body_blocks_reuse(const Exchange& x) const noexcept;

  // Answers (session_answer.cc)
  void send_page(http::Rejection why, bool with_body, http::HeaderView id) noexcept;
  [[nodiscard]] http::HeaderView id_field(Exchange& x) noexcept;
  Sent put(std::string_view copied, std::string_view held, Owner owner,
           std::string_view tail, Leaves leaves = Leaves::Now) noexcept;
  Sent send_framed(Exchange& x, std::string& out, std::string_view data, Owner owner,
                   Follows follows) noexcept;
  [[nodiscard]] std::string_view clip(Exchange& x, std::string_view data) noexcept;
  [[nodiscard]] Nanos now() const noexcept;
  [[nodiscard]] const Settings& settings() const noexcept;

  Server& server_;
  net::Stream stream_;
  Connection connection_;
  std::unique_ptr<Exchange> exchange_;
  std::unique_ptr<http::h1::HeadParser> parser_;       // while a head is partly there
  std::unique_ptr<http::h1::ChunkedDecoder> chunked_;  // while such a body comes in
  std::string in_;                                     // input that was read ahead
  std::size_t in_at_ = 0;
  std::uint64_t body_left_ = 0;    // of a body with a length
  std::uint64_t period_mark_ = 0;  // body: bytes at the start of the current period
  std::uint64_t sent_mark_ = 0;    // output: likewise
  Nanos read_deadline_ = kNever;
  Nanos write_deadline_ = kNever;
  Nanos body_end_ = kNever;  // body_total_timeout
  std::size_t discarded_ = 0;
  unsigned pipelined_ = 0;  // requests in a row that were read ahead
  State state_;
  bool fresh_ = true;     // no request was begun on this connection yet
  bool closing_ = false;  // no request after this one
  bool linger_ = false;   // the close is ours: do not let a reset destroy the answer
  bool eof_ = false;
  bool drained_ = false;         // told that nobody takes it over
  bool held_ = false;            // the answer waits for others, to leave with them
  Closed why_ = Closed::Client;  // it ended, or ends
  bool buffering_ = false;  // request_buffering: the application waits for the body
};

}  // namespace celadon::server
