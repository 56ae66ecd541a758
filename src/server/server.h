// Everything one worker serves: listeners, sessions, admission, drain.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "base/log.h"
#include "http/date.h"
#include "loop/loop.h"
#include "net/listener.h"
#include "server/access_log.h"
#include "server/admission.h"
#include "server/counters.h"
#include "server/meter.h"
#include "server/peers.h"
#include "server/session.h"
#include "server/settings.h"

namespace celadon::server {

// Where a server counts: memory that others may read.
struct Cells {
  Counters& counters;
  Load& load;
};

class Server final : public loop::TurnHook, public net::Acceptor, private loop::Timer {
 public:
  Server(loop::Loop& loop, App& app, Settings settings, LogSink& log);
  Server(loop::Loop& loop, App& app, Settings settings, LogSink& log, Cells cells);
  ~Server() override;

  [[nodiscard]] std::expected<void, Error> add_listener(
      net::ListenSocket socket) noexcept;
  void set_peers(Peers* peers) noexcept { peers_ = peers; }
  // A connection that another server has passed on.
  void take(int fd, const Passage& passage) noexcept;
  void set_access_log(std::unique_ptr<AccessLog> log) noexcept;
  // Outlives the server.
  void set_meter(Meter* meter) noexcept { meter_ = meter; }
  // Who answers some requests ahead of all others; they pass no admission.
  void set_front(Front* front) noexcept { front_ = front; }
  // Stops accepting and answers what is under way. Idle connections go to another
  // server, or where there is none stay for a moment: a request may be on the wire
  // already.
  void drain() noexcept;
  // The grace period is over: asks the application to end every request.
  void cancel_requests() noexcept;
  // Closes every connection now.
  void close_all() noexcept;
  // After a fork, in the child.
  void abandon() noexcept;
  // A burst is over: drops the exchanges kept for the next requests.
  void drop_pool() noexcept;

  [[nodiscard]] bool draining() const noexcept { return draining_; }
  [[nodiscard]] const Load& load() const noexcept { return load_; }
  [[nodiscard]] const Counters& counters() const noexcept { return counters_; }
  [[nodiscard]] const Settings& settings() const noexcept { return settings_; }
  [[nodiscard]] const std::vector<std::unique_ptr<net::Listener>>& listeners()
      const noexcept {
    return listeners_;
  }
  [[nodiscard]] AccessLog* access_log() noexcept { return access_log_.get(); }
  [[nodiscard]] LogSink& log() noexcept { return log_; }

 private:
  friend class Session;

  bool on_accept(int fd, const net::Address& peer,
                 net::Listener& from) noexcept override;
  void on_accept_error(Error error) noexcept override;
  void on_turn_end() noexcept override;
  void on_timer() noexcept override;  // queue_timeout
  // While it drains and others have no room for its connections.
  class Retry final : public loop::Timer {
   public:
    explicit Retry(Server& server) noexcept : server_(server) {}

   private:
    void on_timer() noexcept override { server_.drain_sessions(); }
    Server& server_;
  };

  // For sessions.
  [[nodiscard]] std::unique_ptr<Exchange> make_exchange() noexcept;
  void recycle(std::unique_ptr<Exchange> exchange) noexcept;
  void admit(Exchange& x) noexcept;
  void run(Exchange& x) noexcept;
  void overload(Exchange& x, Refused why) noexcept;
  void arm_queue_timer() noexcept;
  void enter(Exchange& x) noexcept;
  void on_released() noexcept;
  void forget_queued(Exchange& x) noexcept;
  void remove(Session& session) noexcept;
  void log_refusal(const net::Address& peer, http::Rejection why,
                   const http::Request* request) noexcept;
  void on_finished(Exchange& x) noexcept;
  void log_access(const Finished& request) noexcept;
  void note_slow(const Finished& request) noexcept;
  void tell_dropped_lines() noexcept;
  // The id of a request, unless it has one.
  void name(Exchange& x) noexcept {
    if (x.identity_.id_size > 0) return;
    naming_.name(x.identity_, x.request_, x.connection_->trusted,
                 loop_.now() + wall_offset_);
  }
  // The application answers with an id of its own.
  [[nodiscard]] bool names_itself(const http::ResponseHead& head) const noexcept;
  [[nodiscard]] Nanos waited_before(const http::Request& request) noexcept;
  // Field lines that the server adds where the application has not set them itself.
  std::string_view own_lines(bool has_date, bool has_server) noexcept;
  void set_idle(Session& session, bool idle) noexcept;
  bool evict_idle() noexcept;
  // The server ends, and with it its connections: nobody takes them over.
  [[nodiscard]] bool closing() noexcept {
    if (!peers_) return draining_;
    return peers_->ending() || (draining_ && !peers_->has_other());
  }
  [[nodiscard]] bool pass(int fd, const Passage& passage) noexcept;
  Session& add_session(int fd, const net::Address& peer) noexcept;
  void drain_sessions() noexcept;
  void cork(Session& session) noexcept;
  void flush_corked() noexcept;
  void resume_accepting() noexcept;

  static constexpr std::size_t kScratch = 64 * 1024;
  static constexpr std::size_t kPooled = 256;
  static constexpr Nanos kRetryPeriod = 20 * kMillisecond;
  static constexpr Nanos kHold = kMillisecond;
  static constexpr unsigned kRefusalLinesPerSecond = 10;
  static constexpr Nanos kSlow = kSecond;  // shown, if not logged
  static constexpr unsigned kSlowLinesPerSecond = 5;
  static constexpr Nanos kTellDropped = 10 * kSecond;
  static constexpr Nanos kMostWaitedBefore = 600 * kSecond;  // else a clock is wrong

  loop::Loop& loop_;
  App& app_;
  const Settings settings_;
  LogSink& log_;
  std::vector<std::unique_ptr<net::Listener>> listeners_;
  std::unique_ptr<AccessLog> access_log_;
  IntrusiveList<Session> sessions_;
  IntrusiveList<Session, IdleTag> idle_;  // the oldest first
  IntrusiveList<Session, FlushTag> corked_;
  Nanos corked_since_ = 0;
  Retry retry_{*this};
  // A burst of requests must not go through malloc one by one.
  std::vector<std::unique_ptr<Exchange>> pool_;
  Admission admission_{settings_};
  bool draining_ = false;
  bool accept_paused_ = false;
  Peers* peers_ = nullptr;
  Meter* meter_ = nullptr;
  Front* front_ = nullptr;
  Counters own_counters_;
  Load own_load_;
  Counters& counters_;
  Load& load_;
  const Nanos slow_after_;
  Naming naming_;

  // Shared by all sessions: only one callback runs at a time.
  std::array<char, kScratch> scratch_;
  http::h1::HeadParser parser_;
  std::string render_;
  Nanos date_until_ = 0;       // loop time at which the second is over
  std::string own_lines_;      // Date, then Server
  std::size_t date_line_ = 0;  // size of the first
  Nanos wall_offset_ = 0;      // from the loop's clock to the wall's
  Nanos dropped_told_ = 0;
  std::int64_t refusal_second_ = -1;
  unsigned refusal_lines_ = 0;
  std::int64_t slow_second_ = -1;
  unsigned slow_lines_ = 0;
  std::uint64_t refusals_unlogged_ = 0;
};

}  // namespace celadon::server
