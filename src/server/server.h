// Everything one worker serves: listeners, connections, drain. Its requests are in the
// books of the Ledger.
#pragma once

#include <array>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/log.h"
#include "http/h1/parser.h"
#include "loop/loop.h"
#include "net/listener.h"
#include "server/client_connection.h"
#include "server/handshakes.h"
#include "server/ledger.h"
#include "server/peers.h"
#include "server/punctual.h"
#include "server/settings.h"

namespace celadon::server {

class Server final : public loop::TurnHook, public loop::Keeper, public net::Acceptor {
 public:
  static constexpr std::size_t kScratch = 64 * 1024;
  // What is read in one turn beyond the events of its poll, for applications that ask
  // for more and before deadlines: else a peer that sends fast would hold the loop.
  static constexpr std::size_t kReadPerTurn = 256 * 1024;

  Server(loop::Loop& loop, App& app, Settings settings, LogSink& log);
  Server(loop::Loop& loop, App& app, Settings settings, LogSink& log, Cells cells);
  ~Server() override;

  [[nodiscard]] std::expected<void, Error> add_listener(
      net::ListenSocket socket) noexcept;
  // With them all that come from now on speak TLS; null: none does. They outlive the
  // server.
  void set_ciphers(net::CipherSource* ciphers) noexcept { ciphers_ = ciphers; }
  void set_peers(Peers* peers) noexcept { peers_ = peers; }
  // A connection that another server has passed on.
  void take(int fd, const Passage& passage) noexcept;
  void set_access_log(std::unique_ptr<AccessLog> log) noexcept {
    ledger_.set_access_log(std::move(log));
  }
  // Outlives the server.
  void set_meter(Meter* meter) noexcept { ledger_.set_meter(meter); }
  // Who answers some requests ahead of all others; they pass no admission.
  void set_front(Front* front) noexcept { ledger_.set_front(front); }
  // Stops accepting and answers what is under way. Idle connections go to another
  // server, or where there is none stay for a moment: a request may be on the wire
  // already.
  void drain() noexcept;
  // While a slice holds the loop, by a thread that has its custody: what waits between
  // two requests, unread, goes to another server until the loop's thread comes back or
  // nobody takes more. Returns how many went; what is left of them here ends with the
  // turn.
  std::size_t hand_over() noexcept;
  // Likewise: what was held back for the end of the turn is sent.
  void send_held_back() noexcept;
  // From now on that is done in time. Where no thread can be had it is told.
  void be_punctual() noexcept;
  // The grace period is over: asks the application to end every request.
  void cancel_requests() noexcept;
  // Closes every connection now.
  void close_all() noexcept;
  // After a fork, in the child.
  void abandon() noexcept;
  [[nodiscard]] bool keeps_memory() const noexcept override;
  void give_back_unused() noexcept override;
  void give_back_all() noexcept override;

  [[nodiscard]] bool draining() const noexcept { return draining_; }
  [[nodiscard]] const Load& load() const noexcept { return load_; }
  [[nodiscard]] const Counters& counters() const noexcept { return counters_; }
  [[nodiscard]] const Settings& settings() const noexcept { return settings_; }
  [[nodiscard]] const std::vector<std::unique_ptr<net::Listener>>& listeners()
      const noexcept {
    return listeners_;
  }
  [[nodiscard]] AccessLog* access_log() noexcept { return ledger_.access_log(); }
  [[nodiscard]] LogSink& log() noexcept { return ledger_.log(); }

  // --- for its connections ---
  [[nodiscard]] loop::Loop& loop() noexcept { return loop_; }
  [[nodiscard]] Ledger& ledger() noexcept { return ledger_; }
  // Shared by all of them: only one callback runs at a time.
  [[nodiscard]] std::span<char> scratch() noexcept { return scratch_; }
  [[nodiscard]] std::string& render() noexcept { return render_; }
  [[nodiscard]] OutPool& out_pool() noexcept { return out_pool_; }
  [[nodiscard]] http::h1::HeadParser& parser() noexcept { return parser_; }
  // Since when the server ends, and with it its connections: nobody takes them over.
  // kNever: it does not.
  [[nodiscard]] Nanos closing_since() noexcept;
  // Since when it drains, whether anybody takes its connections over or not.
  [[nodiscard]] Nanos draining_since() const noexcept { return draining_since_; }
  // Of one that drains: whether a successor serves on, or will.
  [[nodiscard]] Closing how_it_closes() noexcept;
  [[nodiscard]] bool accept_paused() const noexcept { return accept_paused_; }
  [[nodiscard]] std::unique_ptr<net::Cipher> make_cipher() noexcept;
  [[nodiscard]] Handshakes& handshakes() noexcept { return handshakes_; }
  // Another step of a handshake, in this turn.
  [[nodiscard]] bool may_shake() noexcept;
  [[nodiscard]] bool pass(int fd, const Passage& passage) noexcept;
  void set_idle(ClientConnection& connection, bool idle) noexcept;
  // Makes room by closing the connection that has been idle for longest.
  bool evict_one() noexcept;
  // Whether that much is not reached yet.
  [[nodiscard]] bool may_read_ahead() noexcept;
  void note_read_ahead(std::size_t bytes) noexcept { read_ahead_ += bytes; }
  // Its output leaves at the end of the turn, or where that takes longer in
  // Punctual::kHold.
  void cork(ClientConnection& connection) noexcept;
  // It has left before that, or there is nobody to send it to.
  void forget_corked(ClientConnection& connection) noexcept;
  // It has ended; the loop destroys it.
  void remove(ClientConnection& connection) noexcept;

 private:
  Next on_accept(int fd, const net::Address& peer,
                 net::Listener& from) noexcept override;
  void on_accept_error(Error error) noexcept override;
  void on_turn_end() noexcept override;
  // While it drains and others have no room for its connections.
  class Retry final : public loop::Timer {
   public:
    explicit Retry(Server& server) noexcept : server_(server) {}

   private:
    void on_timer() noexcept override { server_.drain_connections(); }
    Server& server_;
  };

  ClientConnection& add(int fd, const net::Address& peer, bool tls) noexcept;
  [[nodiscard]] bool speaks_tls() const noexcept { return ciphers_ != nullptr; }
  [[nodiscard]] bool attach(ClientConnection& connection) noexcept;
  bool evict_oldest() noexcept;
  void bury(ClientConnection& connection) noexcept;
  void bury_handed_over() noexcept;
  void drain_connections() noexcept;
  void flush_corked() noexcept;
  void fit_render() noexcept;
  void resume_accepting() noexcept;
  void note_pause() noexcept;

  static constexpr std::size_t kRender = 4096;  // of an ordinary head
  static constexpr Nanos kRetryPeriod = 20 * kMillisecond;
  static constexpr Nanos kTellPeriod = 60 * kSecond;
  static constexpr int kShakes = 4;  // in one turn

  loop::Loop& loop_;
  const Settings settings_;
  Counters own_counters_;
  Load own_load_;
  Counters& counters_;
  Load& load_;
  Ledger ledger_;
  Handshakes handshakes_;
  std::vector<std::unique_ptr<net::Listener>> listeners_;
  IntrusiveList<ClientConnection> connections_;
  IntrusiveList<ClientConnection, IdleTag> idle_;  // the oldest first
  IntrusiveList<ClientConnection, CorkTag> corked_;
  std::size_t handed_over_ = 0;      // connections that are not buried yet
  std::uint64_t read_ahead_in_ = 0;  // in which turn
  std::size_t read_ahead_ = 0;       // bytes
  Retry retry_{*this};
  bool draining_ = false;
  Nanos draining_since_ = kNever;
  Nanos closing_since_ = kNever;
  bool accept_paused_ = false;
  Nanos tell_pause_at_ = 0;  // not before
  bool evicting_ = false;
  Peers* peers_ = nullptr;
  net::CipherSource* ciphers_ = nullptr;
  int shakes_ = 0;  // in this turn

  std::array<char, kScratch> scratch_;
  http::h1::KnownBlocks known_blocks_;
  http::h1::HeadParser parser_;
  std::string render_;
  OutPool out_pool_;
  Punctual punctual_{*this};
};

}  // namespace celadon::server
