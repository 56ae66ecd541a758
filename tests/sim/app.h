// The application of a simulated server, and all that knows the contract of
// server/exchange.h: it does with each request what the scenario says, and keeps a
// record of that for the oracle.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "loop/loop.h"
#include "server/exchange.h"
#include "sim/scenario.h"

namespace celadon::sim {

class Kernel;
class Sockets;

// What became of a WebSocket, likewise.
struct SocketRecord {
  struct Sent {
    bool is_text;
    bool is_sure;  // it was not refused
    std::uint64_t size;
  };
  bool accepted = false;
  bool over = false;    // it knows that nothing comes any more
  bool killed = false;  // it does not wait for the peer's close frame
  std::vector<Sent> sent;
  std::size_t got = 0;  // messages
  Nanos got_at = -1;
  int closes = 0;  // the code that it ends it with; 0: it has not
  Nanos closed_at = kNever;
};

// What became of one request, as the application knows it.
struct Record {
  std::size_t client = 0;
  std::size_t request = 0;
  const Request* plan = nullptr;
  bool front = false;
  bool whole_body = false;  // it has read all of it
  bool body_failed = false;
  bool body_open = false;  // part of it was missing when the head left
  bool head_sent = false;
  bool refused = false;  // a page of the server's
  bool aborted = false;
  bool finished = false;
  bool tunnelled = false;     // its tunnel is open
  bool given_up = false;      // its client is not waited for
  bool told_closing = false;  // the server has said that it ends
  bool gone = false;
  bool waits_for_room = false;  // for its answer
  bool released = false;
  bool closing = false;   // it was draining, or at its end, when the head left
  bool alone = false;     // and nothing of a next request had come
  bool too_much = false;  // of its body was missing, or it was uncertain, by then
  int status = 0;
  std::uint64_t read = 0;      // of its body, and then of what comes in the tunnel
  std::uint64_t given = 0;     // bytes of the answer's body
  std::uint64_t declared = 0;  // its length, where framed so
  bool is_handshake = false;   // that was refused ahead of the application
  SocketRecord socket;
  Nanos seen_at = 0;
  Nanos asked_at = kNever;     // for its body
  Nanos reads_since = kNever;  // it does nothing but read, from then on
  Nanos head_at = kNever;
  Nanos ended_at = kNever;
  Nanos released_at = kNever;
};

// The world around an application.
class AppHost {
 public:
  virtual ~AppHost() = default;
  // Which requests there are; null: none such was sent.
  [[nodiscard]] virtual const Request* plan_of(std::size_t client,
                                               std::size_t request) = 0;
  virtual void on_record(Record& record) = 0;
  virtual void on_gone(Record& record) = 0;
  virtual void on_release(Record& record) = 0;
  virtual void on_body_failed(Record& record, int status) = 0;
  // It takes a message, or is told that none comes any more, and the code of that.
  virtual void on_message(Record& record, bool is_text, std::string_view data) = 0;
  virtual void on_socket_end(Record& record, int code) = 0;
  // Bytes that the client has sent in its tunnel, and are there.
  [[nodiscard]] virtual std::uint64_t tunnel_bytes(const Record& record) = 0;
  [[nodiscard]] virtual bool closes_now(Record& record) = 0;
  // The loop stands still until then.
  virtual void hold_until(Nanos at) = 0;
  virtual void wake_at(Nanos at) = 0;
  // Time passes, and nobody else moves.
  virtual void spend(Nanos time) = 0;
  virtual void fault(std::string_view kind, const std::string& text) = 0;
  virtual void trace(const std::string& line) = 0;
  [[nodiscard]] virtual bool traces() const = 0;
};

class Job;

class SimApp final : public server::App, public server::Front {
 public:
  SimApp(Kernel& kernel, Clock& clock, AppHost& host, std::size_t body_buffer);
  ~SimApp() override;

  void on_request(server::Exchange& exchange) noexcept override;
  void on_cancel(server::Exchange& exchange) noexcept override;
  bool take(server::Exchange& exchange) noexcept override;

  // What WebSockets share, from here to abandon().
  void serve_sockets(loop::Loop& loop, const Rules& rules, LogSink& log);
  // Whether all that they count and keep was given back.
  [[nodiscard]] bool sockets_are_gone() const noexcept;
  // The server goes, with all its exchanges.
  void abandon() noexcept;

  void begin_turn();
  // How many jobs could go on; one of them does so for a while.
  [[nodiscard]] std::size_t runnable();
  void run_one(std::size_t index);
  // One that waits for what is there; null: none does.
  [[nodiscard]] const Record* waits_in_vain() const;
  [[nodiscard]] bool idle() const noexcept { return jobs_.empty(); }
  [[nodiscard]] std::size_t under_way() const noexcept { return jobs_.size(); }
  [[nodiscard]] const std::vector<std::unique_ptr<Record>>& records() const noexcept {
    return records_;
  }
  // Bytes of answers that the server keeps by reference, and pieces of them.
  [[nodiscard]] std::size_t lent() const noexcept { return lent_; }
  [[nodiscard]] std::size_t owners() const noexcept { return owners_; }

 private:
  friend class Job;
  friend struct Lent;
  Record* begin(server::Exchange& exchange, bool front);
  bool refuses_handshake(server::Exchange& exchange, Record& record);
  void start(server::Exchange& exchange, Record& record);
  // Too many at once, or one within the other.
  void count_call(std::size_t client);
  void collect();

  Kernel& kernel_;
  Clock& clock_;
  AppHost& host_;
  const std::size_t body_buffer_;
  std::unique_ptr<Sockets> sockets_;
  std::vector<std::unique_ptr<Job>> jobs_;
  std::vector<std::unique_ptr<Record>> records_;
  std::vector<std::size_t> ready_;
  std::vector<unsigned> turn_calls_;
  unsigned depth_ = 0;
  std::size_t lent_ = 0;
  std::size_t owners_ = 0;
};

}  // namespace celadon::sim
