// One request and its answer, whatever protocol carries them: the hinge of the server.
//
//   protocol (Channel) ──► Exchange ◄── application (App, Consumer)
//
// A channel makes an Exchange, fills its request and body, and renders its answer. An
// application takes it in App::on_request and must end it by exactly one finish() or
// abort(), followed by release(). Between the two neither side knows the other.
//
// The body is a source with back-pressure: at most `body_buffer` bytes wait unread. The
// answer is a sink with a high-water mark: after Full the writer waits for
// Consumer::on_writable. All calls are made on the loop's thread; none of them blocks.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/account.h"
#include "base/clock.h"
#include "base/intrusive_list.h"
#include "base/out_queue.h"
#include "http/method.h"
#include "http/rejection.h"
#include "http/request.h"
#include "http/response.h"
#include "net/address.h"
#include "server/identity.h"

namespace celadon::server {

class Exchange;
class Server;

// What an application keeps with a connection between its requests.
class ConnectionData {
 public:
  virtual ~ConnectionData() = default;
};

// The connection a request came on.
struct Connection {
  net::Address peer;
  net::Address local;
  bool trusted = false;  // the peer is in forwarded_allow_ips
  std::unique_ptr<ConnectionData> app_data;
};

// What wakes an application that waits for its exchange. Callbacks only mark it ready.
class Consumer {
 public:
  virtual ~Consumer() = default;
  virtual void on_body() noexcept = 0;      // more of the body, its end, or its failure
  virtual void on_writable() noexcept = 0;  // the answer's buffer is below its mark
  virtual void on_gone() noexcept = 0;      // the client left; writes fail from now on
};

// What comes after a head and its first piece.
enum class Follows : std::uint8_t {
  Data,
  File,     // by send_file, at once
  Nothing,  // the answer is whole
};

enum class Sent : std::uint8_t {
  Ok,
  Full,  // taken, but wait for on_writable before the next
  Gone,  // the client left, or the answer cannot go on
};

// The protocol's side of an exchange.
class Channel {
 public:
  virtual ~Channel() = default;
  // Head and the first piece of the body leave together.
  virtual Sent send_head(Exchange& exchange, const http::ResponseHead& head,
                         std::string_view first, Owner owner,
                         Follows follows) noexcept = 0;
  virtual Sent send_data(Exchange& exchange, std::string_view data,
                         Owner owner) noexcept = 0;
  virtual Sent send_file(Exchange& exchange, int file, off_t& offset,
                         std::size_t count) noexcept = 0;
  virtual void send_interim(int status,
                            std::span<const http::HeaderView> headers) noexcept = 0;
  virtual void finish(Exchange& exchange) noexcept = 0;
  virtual void abort(Exchange& exchange) noexcept = 0;
  // The application wants more body than is buffered.
  virtual void want_body(Exchange& exchange) noexcept = 0;
  virtual void refuse(Exchange& exchange, http::Rejection why) noexcept = 0;
  // Gives the exchange all its names.
  virtual void identify(Exchange& exchange) noexcept = 0;
  // The application is done with the exchange; it may be destroyed.
  virtual void release(Exchange& exchange) noexcept = 0;
};

enum class BodyState : std::uint8_t { Open, Complete, Failed };

// Everything that one assignment makes as new.
struct ExchangeState {
  // The whole answer may leave with those that follow in the same turn of the loop.
  bool may_wait = false;
  // How many requests of this connection have come without a pause before this one.
  unsigned pipelined = 0;
  // Monotonic times, for deadlines and logs.
  Nanos received_at = 0;
  Nanos started_at = 0;
  Nanos answered_at = 0;    // the head of the answer left
  Nanos waited_before = 0;  // with a proxy in front, as far as it says so
  // Where the application's time goes; null while it has not begun. Whoever set it lets
  // it live until the exchange is released.
  const Account* account = nullptr;

 protected:
  friend class Session;
  friend class Server;

  Channel* channel_ = nullptr;
  Connection* connection_ = nullptr;
  Consumer* consumer_ = nullptr;

  std::size_t body_at_ = 0;
  std::uint64_t body_size_ = 0;  // decoded so far
  int spool_ = -1;
  bool buffered_ = false;
  BodyState body_state_ = BodyState::Complete;
  http::Rejection body_rejection_ = http::Rejection::None;

  bool head_sent_ = false;
  bool body_allowed_ = true;
  bool chunked_ = false;
  bool ended_ = false;  // the last chunk is out
  bool finished_ = false;
  bool gone_ = false;
  bool at_once_ = false;  // the whole answer left with its head
  bool passed_admission_ = false;
  http::Method method_ = http::Method::Other;  // of those in flight
  bool continue_pending_ = false;              // Expect: 100-continue, not answered yet
  int status_ = 0;
  std::optional<std::uint64_t> remaining_;
  std::uint64_t bytes_sent_ = 0;
};

class Exchange final : public ListHook<Exchange>, public ExchangeState {
 public:
  Exchange() noexcept = default;
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;
  ~Exchange();
  // As new, for another request; keeps memory that is cheap to keep.
  void reset(Channel& channel, Connection& connection) noexcept;

  // --- the request ---
  [[nodiscard]] const http::Request& request() const noexcept { return request_; }
  [[nodiscard]] Connection& connection() const noexcept { return *connection_; }
  [[nodiscard]] std::string_view method() const noexcept {
    return request_.text(request_.method);
  }
  [[nodiscard]] bool is_head() const noexcept { return method() == "HEAD"; }
  // What it is called: made when it is asked for.
  [[nodiscard]] const Identity& identity() noexcept {
    channel_->identify(*this);
    return identity_;
  }

  // What the framework calls such requests, such as `/users/<id>`; empty: unknown.
  [[nodiscard]] std::string_view route() const noexcept { return route_; }
  void set_route(std::string_view route) { route_ = route; }

  // --- its body ---
  [[nodiscard]] BodyState body_state() const noexcept { return body_state_; }
  // Why the body failed.
  [[nodiscard]] http::Rejection body_rejection() const noexcept {
    return body_rejection_;
  }
  // Bytes that can be taken now.
  [[nodiscard]] std::string_view body() const noexcept {
    return std::string_view(body_).substr(body_at_);
  }
  void consume_body(std::size_t n) noexcept;
  // Asks for more; body() or body_state() may have changed when it returns, else
  // Consumer::on_body follows.
  void want_body() noexcept { channel_->want_body(*this); }
  // With request_buffering the whole body is there before the application starts: in
  // body(), or behind this descriptor once it was too large. The length is known then.
  [[nodiscard]] bool buffered() const noexcept { return buffered_; }
  [[nodiscard]] int spool() const noexcept { return spool_; }
  [[nodiscard]] std::uint64_t body_size() const noexcept { return body_size_; }

  // --- the answer ---
  Sent send_head(const http::ResponseHead& head, std::string_view first, Owner owner,
                 Follows follows) noexcept {
    return channel_->send_head(*this, head, first, owner, follows);
  }
  Sent send_data(std::string_view data, Owner owner) noexcept {
    return channel_->send_data(*this, data, owner);
  }
  // Advances `offset`; Full where the kernel took less than `count`.
  Sent send_file(int file, off_t& offset, std::size_t count) noexcept {
    return channel_->send_file(*this, file, offset, count);
  }
  void send_interim(int status, std::span<const http::HeaderView> headers) noexcept {
    channel_->send_interim(status, headers);
  }
  void finish() noexcept { channel_->finish(*this); }
  void abort() noexcept { channel_->abort(*this); }
  // Answers with the server's own page, if no head is out; else aborts.
  void refuse(http::Rejection why) noexcept { channel_->refuse(*this, why); }
  void release() noexcept { channel_->release(*this); }

  [[nodiscard]] bool head_sent() const noexcept { return head_sent_; }
  [[nodiscard]] bool body_allowed() const noexcept { return body_allowed_; }
  // Bytes of a declared Content-Length that are still to come; nullopt without one.
  [[nodiscard]] std::optional<std::uint64_t> remaining() const noexcept {
    return remaining_;
  }
  [[nodiscard]] bool gone() const noexcept { return gone_; }
  [[nodiscard]] std::uint64_t bytes_sent() const noexcept { return bytes_sent_; }
  [[nodiscard]] int status() const noexcept { return status_; }

  // For the access log, kept only where its format names one: response headers, and
  // what the application knows of the request by a name.
  using LoggedPairs = std::vector<std::pair<std::string, std::string>>;
  [[nodiscard]] const LoggedPairs& logged_headers() const noexcept {
    return logged_headers_;
  }
  [[nodiscard]] const LoggedPairs& logged_environ() const noexcept {
    return logged_environ_;
  }
  void log_environ(std::string_view name, std::string_view value) {
    logged_environ_.emplace_back(name, value);
  }

  void set_consumer(Consumer* consumer) noexcept { consumer_ = consumer; }
  [[nodiscard]] Consumer* consumer() const noexcept { return consumer_; }

 private:
  friend class Session;
  friend class Server;

  http::Request request_;
  std::string head_;  // the bytes that request_ points into
  std::string body_;
  std::string route_;
  LoggedPairs logged_headers_;
  LoggedPairs logged_environ_;
  Identity identity_;
};

// Who answers some of them before the application hears of them.
class Front {
 public:
  virtual ~Front() = default;
  // True: it has answered, and released the exchange.
  virtual bool take(Exchange& exchange) noexcept = 0;
};

// Who answers requests.
class App {
 public:
  virtual ~App() = default;
  // The head is there. Takes the exchange over and returns at once.
  virtual void on_request(Exchange& exchange) noexcept = 0;
  // Asks for the exchange to end soon: shutdown past its grace period.
  virtual void on_cancel(Exchange& exchange) noexcept = 0;
};

}  // namespace celadon::server
