// One request and its answer, whatever protocol carries them: the hinge of the server.
//
//   protocol (Channel) ──► Exchange ◄── application (App, Consumer)
//
// A channel makes an Exchange, fills its request and body, and carries its answer. An
// application takes it in App::on_request and must end it by exactly one finish() or
// abort(), followed by release(); all of that may happen within the call. Between the
// two neither side knows the other.
//
// The body is a source with back-pressure: what the application consumes is credited to
// the channel. The answer is a sink with a high-water mark: after Full the writer waits
// for Consumer::on_writable. All calls are made on the loop's thread; none of them
// blocks.
//
// What the answer may hold (a body at all, how much of it) is decided here, how it is
// framed in the channel.
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
#include "base/delivery.h"
#include "base/intrusive_list.h"
#include "base/out_queue.h"
#include "base/under_way.h"
#include "http/method.h"
#include "http/rejection.h"
#include "http/request.h"
#include "http/response.h"
#include "net/address.h"
#include "net/owned_fd.h"
#include "net/stream.h"
#include "server/body_store.h"
#include "server/identity.h"

namespace celadon::server {

class Exchange;

// The connection a request came on.
struct Connection {
  net::Address peer;
  net::Address local;
  bool trusted = false;                 // the peer is in forwarded_allow_ips
  const net::Cipher* cipher = nullptr;  // null: in the clear
};

// What a request came by, as far as its answer depends on it.
struct Carrier {
  http::Version version = http::Version::Http11;
  bool takes_file = true;  // send_file() hands a descriptor to the kernel
  bool tls = false;

  // Interim answers and chunks are known there.
  [[nodiscard]] bool is_http10() const noexcept {
    return version == http::Version::Http10;
  }
};

// The server ends: as all of them do, or because another one of the same site goes on
// in its place.
enum class Closing : std::uint8_t { Stop, Restart };

// What wakes an application that waits for its exchange. Callbacks only mark it ready:
// none of them may end the exchange or release it.
class Consumer {
 public:
  virtual ~Consumer() = default;
  virtual void on_body() noexcept = 0;      // more of the body, its end, or its failure
  virtual void on_writable() noexcept = 0;  // the answer's buffer is below its mark
  virtual void on_gone() noexcept = 0;      // the client left; writes fail from now on
  // The client sends nothing more: it may have left, or only wait for its answer.
  virtual void on_peer_shut() noexcept {}
  virtual void on_closing(Closing) noexcept {}  // also at open_tunnel()
};

// Whether a piece of an answer completes it.
enum class Part : std::uint8_t { More, Last };

enum class Sent : std::uint8_t {
  Ok,
  Full,    // taken, but wait for on_writable before the next
  Gone,    // the client left, or the answer cannot go on
  NoFile,  // the file cannot be read, or no descriptor is left; errno says why
};

// An application that breaks the length it has announced.
enum class Misfit : std::uint8_t { TooMuch, TooLittle };

// The socket of a connection, for as long as its request lasts.
struct Loan {
  net::OwnedFd socket;  // another descriptor than the server's
  std::string ahead;    // what was read of it already
};

// The protocol's side of an exchange. What it is handed fits the answer already.
class Channel {
 public:
  virtual ~Channel() = default;
  // Head and the first piece of the body leave together.
  virtual Sent write_head(Exchange& exchange, const http::ResponseHead& head,
                          std::string_view first, Owner owner, Part part,
                          net::Leave leave) noexcept = 0;
  virtual Sent write_data(Exchange& exchange, std::string_view data, Owner owner,
                          net::Leave leave) noexcept = 0;
  virtual Sent write_file(Exchange& exchange, int file, off_t& offset,
                          std::size_t count) noexcept = 0;
  virtual void write_interim(Exchange& exchange, int status,
                             std::span<const http::HeaderView> headers) noexcept = 0;
  // The answer is whole; `trailers` where the protocol has them.
  virtual void end_answer(Exchange& exchange,
                          std::span<const http::HeaderView> trailers) noexcept = 0;
  // Its peer takes nothing any more: what cannot leave at once is not waited for.
  virtual void give_up(Exchange& exchange) noexcept = 0;
  // How far what was sent on its connection has come.
  [[nodiscard]] virtual Delivery how_far(const Exchange& exchange) const noexcept = 0;
  // The answer stays visibly incomplete; those before it are not touched.
  virtual void break_off(Exchange& exchange) noexcept = 0;
  // Nothing was thrown away that belongs to a tunnel.
  [[nodiscard]] virtual bool may_tunnel() const noexcept = 0;
  // From here bytes go both ways without end: 101, or 2xx to CONNECT.
  virtual Sent open_tunnel(Exchange& exchange,
                           const http::ResponseHead& head) noexcept = 0;
  // From here nothing is read or written for the application, which has the socket.
  virtual Sent lend(Exchange& exchange, Loan& loan) noexcept = 0;
  // The application wants more body than is buffered, or has taken `n` bytes of it.
  virtual void want_body(Exchange& exchange) noexcept = 0;
  virtual void credit(Exchange& exchange, std::size_t n) noexcept = 0;
  virtual void refuse(Exchange& exchange, http::Rejection why) noexcept = 0;
  virtual void complain(Exchange& exchange, Misfit what) noexcept = 0;
  // Of the unix socket that its connection came by, as Exchange::local_path() says.
  [[nodiscard]] virtual std::string local_path(const Exchange&) const noexcept {
    return {};
  }
  // Nothing comes from the peer any more.
  [[nodiscard]] virtual bool peer_shut() const noexcept { return false; }
  // Gives the exchange all its names.
  virtual void identify(Exchange& exchange) noexcept = 0;
  // The application is done with the exchange; it may be destroyed.
  virtual void release(Exchange& exchange) noexcept = 0;
};

enum class BodyState : std::uint8_t { Open, Complete, Failed };

// How far an answer is.
enum class Answer : std::uint8_t {
  None,
  Begun,  // its head is out
  Whole,
  Broken,  // it ends before its end
};

// Everything that one assignment makes as new.
struct ExchangeState {
  // How many requests of this connection have come without a pause before this one.
  unsigned pipelined = 0;
  // Monotonic times, for deadlines and logs.
  Nanos received_at = 0;
  Nanos queued_at = 0;  // it had to wait for a place (max_concurrent_requests)
  Nanos started_at = 0;
  Nanos answered_at = 0;    // the head of the answer left; 0: it did not, or just now
  Nanos waited_before = 0;  // with a proxy in front, as far as it says so
  // Where the application's time goes; null while it has not begun. Whoever set it lets
  // it live until the exchange is released.
  const Account* account = nullptr;
  Carrier carrier;

  // Of the ledger: it is with the application; the method that it is counted by; its
  // place among those that are named where this process dies.
  bool running = false;
  http::Method counted_as = http::Method::Other;
  std::int8_t noted_at = UnderWay::kNone;

 protected:
  Channel* channel_ = nullptr;
  Connection* connection_ = nullptr;
  Consumer* consumer_ = nullptr;

  const Spooling* spooling_ = nullptr;
  std::uint64_t body_size_ = 0;  // decoded so far
  BodyState body_state_ = BodyState::Complete;
  http::Rejection body_rejection_ = http::Rejection::None;

  Answer answer_ = Answer::None;
  bool at_once_ = false;  // the whole answer left with its head
  bool released_next_ = false;
  bool body_allowed_ = true;
  bool gone_ = false;
  int status_ = 0;
  std::optional<std::uint64_t> remaining_;
  std::uint64_t bytes_sent_ = 0;
};

class Exchange final : public ListHook<Exchange>, public ExchangeState {
 public:
  Exchange() noexcept = default;
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;

  // --- the request ---
  [[nodiscard]] const http::Request& request() const noexcept { return request_; }
  [[nodiscard]] std::size_t head_size() const noexcept { return head_.size(); }
  [[nodiscard]] Connection& connection() const noexcept { return *connection_; }
  // That of the unix socket which it came by, asked of the kernel: connections keep
  // none. `@NAME` of an abstract one, as in `bind`; empty: it has none.
  [[nodiscard]] std::string local_path() const noexcept {
    return channel_->local_path(*this);
  }
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
  [[nodiscard]] std::string_view body() const noexcept { return store_.unread(); }
  void consume_body(std::size_t n) noexcept {
    store_.consume(n);
    channel_->credit(*this, n);
  }
  // Asks for more; body() or body_state() may have changed when it returns, else
  // Consumer::on_body follows.
  void want_body() noexcept { channel_->want_body(*this); }
  // With request_buffering the whole body is there before the application starts: in
  // body(), or behind this descriptor once it was too large. The length is known then.
  [[nodiscard]] bool buffered() const noexcept { return spooling_ != nullptr; }
  [[nodiscard]] int spool() const noexcept { return store_.file(); }
  [[nodiscard]] std::uint64_t body_size() const noexcept { return body_size_; }

  // --- the answer ---
  // The owner is taken over in every case.
  Sent send_head(const http::ResponseHead& head, std::string_view first, Owner owner,
                 Part part, net::Leave leave = net::Leave::Now) noexcept;
  // The whole answer of who releases the exchange next: between the two lies nothing
  // that takes long, and the clock is read once for both.
  Sent send_whole(const http::ResponseHead& head, std::string_view body, Owner owner,
                  net::Leave leave = net::Leave::Now) noexcept;
  Sent send_data(std::string_view data, Owner owner,
                 net::Leave leave = net::Leave::Now) noexcept;
  // Something that may take long comes before its release, after all.
  void delay_release(Nanos now) noexcept {
    if (!std::exchange(released_next_, false)) return;
    if (answered_at == 0) answered_at = now;
  }
  // Advances `offset`; Full where the kernel took less than `count`.
  Sent send_file(int file, off_t& offset, std::size_t count) noexcept;
  // 103 and its like, where the protocol has them and the head is not out.
  void send_interim(int status, std::span<const http::HeaderView> headers) noexcept;
  // Whether a tunnel may be opened, or the socket be lent.
  [[nodiscard]] bool may_switch() const noexcept;
  // It was.
  [[nodiscard]] bool switched() const noexcept { return status_ == kSwitched; }
  // The body of the exchange has no end of its own from here on, in both directions:
  // what the peer sends until its end of file is the body. Gone also where that of the
  // request is not complete, or its client said that nothing follows.
  Sent open_tunnel(const http::ResponseHead& head) noexcept;
  // The application speaks for itself on the socket, its own answer's head included
  // (WS12): nothing is sent here any more, and the connection ends with the release.
  // Full: wait for on_writable, and ask again. Gone as with open_tunnel().
  Sent lend(Loan& loan) noexcept;
  // The answer is whole. Where the end of the connection says so, that of a tunnel and
  // of an answer without a length, our end is shut at once: what comes in a tunnel from
  // then on is thrown away, and on_body tells of its end.
  void finish(std::span<const http::HeaderView> trailers = {}) noexcept;
  // Likewise, of a tunnel whose peer takes nothing any more. Where something waits for
  // it the connection is reset, within this call, and on_gone tells so.
  void give_up() noexcept;
  void abort() noexcept;
  // Answers with the server's own page, if no head is out; else aborts.
  void refuse(http::Rejection why) noexcept;
  void release() noexcept { channel_->release(*this); }

  [[nodiscard]] Answer answer() const noexcept { return answer_; }
  [[nodiscard]] bool head_sent() const noexcept { return answer_ != Answer::None; }
  [[nodiscard]] bool ended() const noexcept { return answer_ > Answer::Begun; }
  [[nodiscard]] bool answered_at_once() const noexcept { return at_once_; }
  [[nodiscard]] bool released_next() const noexcept { return released_next_; }
  [[nodiscard]] bool body_allowed() const noexcept { return body_allowed_; }
  // Bytes of a declared Content-Length that are still to come; nullopt without one.
  [[nodiscard]] std::optional<std::uint64_t> remaining() const noexcept {
    return remaining_;
  }
  [[nodiscard]] bool gone() const noexcept { return gone_; }
  // How far what was sent on its connection has come; nothing where the client is gone.
  [[nodiscard]] Delivery how_far() const noexcept {
    return gone_ ? Delivery{} : channel_->how_far(*this);
  }
  // The client sends nothing more, which is how those look that leave quietly.
  [[nodiscard]] bool peer_shut() const noexcept { return channel_->peer_shut(); }
  // The application has its socket.
  [[nodiscard]] bool lent() const noexcept {
    return status_ == kSwitched && !body_allowed_;
  }
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
  void log_header(std::string_view name, std::string_view value) {
    logged_headers_.emplace_back(name, value);
  }
  void log_environ(std::string_view name, std::string_view value) {
    logged_environ_.emplace_back(name, value);
  }

  void set_consumer(Consumer* consumer) noexcept { consumer_ = consumer; }
  [[nodiscard]] Consumer* consumer() const noexcept { return consumer_; }

  // --- for its channel ---
  // As new, for another request; keeps memory that is cheap to keep.
  void begin(Channel& channel, Connection& connection, Carrier carrier) noexcept;
  // It is over: memory that only a large request needs goes back.
  void trim() noexcept;
  // Copies the bytes of the head and takes what was parsed from them.
  void take_head(std::string_view bytes, http::Request& parsed) noexcept;
  [[nodiscard]] Identity& names() noexcept { return identity_; }

  // A body follows. `spooling`: it is collected before the application hears of it.
  void open_body(const Spooling* spooling) noexcept;
  // A piece of it; may fail it.
  void take_body(std::string_view data) noexcept;
  void end_body() noexcept;
  // It will never be complete.
  void fail_body(http::Rejection why) noexcept;
  // The client left: nothing can be sent to it any more.
  void go() noexcept;
  // There is room for more of the answer.
  void note_room() noexcept {
    if (consumer_) consumer_->on_writable();
  }
  void note_peer_shut() noexcept {
    if (consumer_) consumer_->on_peer_shut();
  }
  void note_closing(Closing how) noexcept {
    if (consumer_) consumer_->on_closing(how);
  }

 private:
  static constexpr int kSwitched = 101;  // whatever the application says there
  [[nodiscard]] bool can_send() const noexcept { return !gone_ && !ended(); }
  [[nodiscard]] std::string_view clip(std::string_view data) noexcept;

  http::Request request_;
  std::string head_;  // the bytes that request_ points into
  BodyStore store_;
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
