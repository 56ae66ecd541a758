// What must hold, by RFC 9112 and http.md alone: looks at what was sent and what came,
// at what the application did and when bytes were where, never into the server.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "sim/answers.h"
#include "sim/app.h"
#include "sim/client.h"
#include "sim/kernel.h"
#include "sim/scenario.h"

namespace celadon::sim {

// What is wrong. `kind` groups what has the same cause, as far as an oracle can tell.
struct Verdict {
  std::string kind;
  std::string text;
  [[nodiscard]] bool bad() const noexcept { return !kind.empty(); }
};

// What the oracle knows of one connection beyond its link.
struct Conversation {
  explicit Conversation(const SimClient& from)
      : client(&from), written(from.script().questions) {}

  const SimClient* client;
  AnswerReader written;  // what the server has written, whoever has read it
  std::vector<Record*> records;
  std::size_t judged = 0;         // answers, as they were written
  std::size_t interims = 0;       // likewise, ahead of the next one
  bool taken_over = false;        // by the colleague
  unsigned reads_while_full = 0;  // since bytes were given or taken last
  std::uint64_t moved_at_read = 0;
  // Of its WebSocket: what was judged of what was written.
  std::size_t messages = 0;
  std::size_t pings = 0;
  std::size_t pongs = 0;
  Nanos pinged_at = kNever;
  std::uint64_t delivered_at_ping = 0;  // of the client's, then
  Nanos closed_with_frame_at = kNever;
  bool waits_for_close = false;  // its peer's frame did not come first
  // Why bytes may be lost, once the server has closed.
  bool excused = false;
  Nanos closed_at = kNever;
};

class Oracle {
 public:
  Oracle(const Scenario& scenario, Clock& clock);

  void add(const SimClient& client);
  [[nodiscard]] Conversation& of(std::size_t client) { return *conversations_[client]; }
  [[nodiscard]] const Verdict& verdict() const noexcept { return verdict_; }
  void fault(std::string_view kind, const std::string& text);

  // --- as it happens ---
  void on_record(Record& record);
  void on_gone(const Record& record);
  void on_release(const Record& record);
  void on_body_failed(const Record& record, int status);
  void on_message(const Record& record, bool is_text, std::string_view data);
  void on_socket_end(const Record& record, int code);
  void on_accepted(const Link& link);
  void on_server_wrote(const Link& link, std::string_view bytes);
  void on_server_read(const Link& link);
  void on_evicted(const Link& link);
  void on_server_close(const Link& link);
  void on_taken_over(std::size_t client) { of(client).taken_over = true; }
  void on_drain() { draining_ = true; }  // it begins
  void on_drained();
  void on_all_closed() { all_closed_ = true; }
  void check_output(const Link& link);
  void check_connections(std::size_t open);
  // That the client has sent in its tunnel, and are there.
  [[nodiscard]] std::uint64_t tunnel_bytes(const Record& record) const;
  // When all is done that can be done at this moment.
  void check_settled(const Link& link);
  [[nodiscard]] bool drained() const noexcept { return drained_; }
  // There is no other worker to take connections over.
  [[nodiscard]] bool alone() const noexcept;
  // Nothing of a next request has come.
  [[nodiscard]] bool is_alone(const Record& record) const;
  // The rest of its body is too long, or its client waits to be told to send:
  // the connection cannot be used again (CN07).
  [[nodiscard]] bool leaves_too_much(const Record& record) const;

  // --- at the end ---
  void judge_client(const SimClient& client);

 private:
  [[nodiscard]] Nanos ms(Number n) const noexcept { return n * kMillisecond; }
  void judge_answers(Conversation& c, const Link& link);
  void judge_answer(const Conversation& c, std::size_t k);
  void judge_page(const Conversation& c, const Link& link, std::size_t k);
  void judge_slow(const Conversation& c, const Link& link, std::size_t k);
  [[nodiscard]] bool is_cancelled(const Record& record, const Link& link) const;
  void judge_interims(Conversation& c, const Link& link);
  void judge_order_of_eviction(const Link& evicted);
  [[nodiscard]] std::size_t places_taken() const;
  [[nodiscard]] bool is_turned_away(const Link& link) const;
  // The kernel lacks something that each connection needs.
  [[nodiscard]] bool is_short() const noexcept {
    return scenario_.moods.no_fds > 0 || scenario_.moods.watches > 0;
  }
  [[nodiscard]] bool is_overload(const Conversation& c, const Link& link,
                                 std::size_t k) const;
  [[nodiscard]] std::size_t others_waiting(const Conversation& c, Nanos since) const;
  // Which request is next or at hand, and what is late with it.
  [[nodiscard]] std::size_t served(const Conversation& c) const;
  [[nodiscard]] static bool has_all(const Link& link);
  void check_linger(const Link& link);
  void check_write(const Conversation& c, const Link& link);
  void check_request(const Conversation& c, const Link& link);
  void check_tunnel(const Conversation& c, const Link& link, const Record& record);
  // --- WebSockets (sockets.cc) ---
  void judge_handshake(const Conversation& c, std::size_t k);
  void judge_frames(Conversation& c, const Link& link);
  void judge_pings(Conversation& c, const Link& link, const Record& record);
  void judge_close(Conversation& c, const Link& link, const Record& record);
  void judge_socket_end(const Conversation& c, const Link& link);
  void check_socket_input(const Conversation& c, const Link& link,
                          const Record& record);
  void check_socket(const Conversation& c, const Link& link, const Record& record);
  void check_socket_time(const Conversation& c, const Link& link, const Record& record);
  [[nodiscard]] bool says_that_it_ends(int code) const noexcept;
  [[nodiscard]] std::uint64_t read_until(const Conversation& c,
                                         const Record& record) const;
  [[nodiscard]] bool is_silent(const Conversation& c, const Link& link,
                               const Record& record) const;
  // It answers no ping, or no close frame.
  [[nodiscard]] bool may_be_silent(const Conversation& c, const Link& link) const;
  [[nodiscard]] bool is_whole_by_its_end(const Conversation& c,
                                         const Record& record) const;
  void check_news(const Conversation& c, const Link& link, const Record& record);
  void check_body(const Conversation& c, const Link& link, const Span& span,
                  Nanos begun);
  void check_wait(const Conversation& c, const Link& link, std::size_t k);
  void late(const Link& link, Nanos due, const char* what);
  void check_ahead(const Conversation& c, const Link& link, std::size_t k);
  [[nodiscard]] Nanos ends_from(Nanos since) const;
  [[nodiscard]] Nanos kept_until(const Link& link, Nanos since) const;
  [[nodiscard]] Nanos idle_since(const Conversation& c, const Link& link) const;
  struct Ending {
    Nanos at;
    std::uint64_t delivered;
    bool behind_end;
    Nanos taking;  // its client had taken some of the last answer
  };
  [[nodiscard]] Ending ending_of(const Link& link) const;
  void judge_end(Conversation& c, const Link& link);
  void judge_idle_end(Conversation& c, const Link& link, std::size_t served);
  // Whether what answers it may be a page of the server's own.
  [[nodiscard]] bool may_be_refused(const Conversation& c, const Link& link,
                                    std::size_t k) const;
  [[nodiscard]] bool may_end_after(const Conversation& c, const Link& link,
                                   std::size_t k) const;
  [[nodiscard]] bool leaves_body(const Link& link, const Span& span,
                                 const Record& record) const;
  [[nodiscard]] bool write_is_overdue(const Link& link) const;
  // Its application does not wait for what the client does not take.
  [[nodiscard]] static bool is_given_up(const Conversation& c, const Link& link);
  [[nodiscard]] bool body_is_overdue(const Link& link, const Span& span,
                                     const Record* record) const;
  [[nodiscard]] bool is_slow_until(const Link& link, const Span& span, Nanos start,
                                   Nanos at, std::uint64_t delivered) const;
  [[nodiscard]] bool lingered_enough(const Link& link) const;
  [[nodiscard]] const Record* record_of(const Conversation& c, std::size_t k) const;
  [[nodiscard]] std::string about(const Conversation& c, std::size_t k) const;

  const Scenario& scenario_;
  Clock& clock_;
  std::vector<std::unique_ptr<Conversation>> conversations_;
  Verdict verdict_;
  const bool holds_;         // an application holds the loop now and then
  std::size_t running_ = 0;  // requests that are with the application
  Nanos full_until_ = -1;    // when so many last ran as may
  Nanos drained_at_ = 0;
  const Nanos alone_at_;
  bool draining_ = false;
  bool drained_ = false;
  bool all_closed_ = false;
};

}  // namespace celadon::sim
