// Life of a session: states, end of file, keep-alive, lingering close.
#include "server/session.h"

#include <algorithm>

#include "base/assert.h"
#include "net/kernel.h"
#include "server/server.h"

namespace celadon::server {
namespace {

constexpr Nanos kDrainTime = kSecond;  // CN07: a rest of a body must come within this

bool cancels_on_disconnect(const Settings& settings, std::string_view method) noexcept {
  return std::ranges::find(settings.cancel_on_disconnect, method) !=
         settings.cancel_on_disconnect.end();
}

}  // namespace

Session::Session(Server& server, int fd, const net::Address& peer) noexcept
    : server_(server), stream_(fd, *this), state_(State::Idle) {
  connection_.peer = peer;
  connection_.local = local_address(fd);
  connection_.trusted = settings().forwarded_allow.contains(peer);
  if (settings().proxy_protocol != net::ProxyMode::Off) state_ = State::Proxied;
}

Session::~Session() = default;

net::Address Session::local_address(int fd) noexcept {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  auto* sa = reinterpret_cast<sockaddr*>(&storage);
  if (net::kernel::local_name(fd, sa, size) < 0) return {};
  return net::Address::from_sockaddr(sa, size);
}

Nanos Session::now() const noexcept {
  return server_.loop_.now();
}
const Settings& Session::settings() const noexcept {
  return server_.settings_;
}

bool Session::start() noexcept {
  if (!stream_.attach(server_.loop_)) return false;
  // Absolute from accept to the end of the first head: no byte resets it.
  const Nanos limit = settings().header_timeout;
  set_read_deadline(limit == kNever ? kNever : now() + limit);
  return true;
}

bool Session::resume(const Passage& passage) noexcept {
  if (!stream_.attach(server_.loop_)) return false;
  connection_.local = passage.local;
  connection_.trusted = passage.trusted;
  fresh_ = passage.fresh;
  state_ = passage.proxied ? State::Proxied : State::Idle;
  if (state_ == State::Idle && !fresh_) server_.set_idle(*this, true);
  set_read_deadline(passage.deadline);
  if (server_.draining()) drain();
  return true;
}

void Session::set_state(Event event) noexcept {
  const auto to = next_state(state_, event);
  CHECK(to.has_value(), "illegal transition of a session");
  state_ = *to;
  if (state_ != State::Idle) server_.set_idle(*this, false);
}

void Session::on_sent(std::size_t bytes) noexcept {
  server_.counters_.sent_bytes += bytes;
}

void Session::close(Closed why) noexcept {
  if (state_ == State::Closed) return;
  if (why_ == Closed::Client) why_ = why;
  if (state_ == State::Active && exchange_) {
    mark_gone();
    return;
  }
  set_state(Event::Close);
  stream_.close();
  server_.remove(*this);
}

// The client is gone while the application has its request: the exchange outlives the
// stream until the application releases it.
void Session::mark_gone() noexcept {
  Exchange& x = *exchange_;
  set_state(Event::Close);
  stream_.close();
  Timer::cancel();
  ListHook<FlushTag>::unlink();
  ++server_.counters_.client_gone;
  if (x.linked() || buffering_) {  // not with the application yet
    if (x.linked()) server_.forget_queued(x);
    buffering_ = false;
    server_.recycle(std::move(exchange_));
    server_.remove(*this);
    return;
  }
  x.gone_ = true;
  if (x.body_state_ == BodyState::Open) {
    x.body_state_ = BodyState::Failed;
    x.body_rejection_ = http::Rejection::IncompleteBody;
  }
  if (x.consumer_) x.consumer_->on_gone();
}

void Session::on_hangup() noexcept {
  switch (state_) {
    case State::Closed: return;
    case State::Active:
      if (exchange_ && exchange_->finished_) {
        stream_.close();
        return;
      }
      [[fallthrough]];
    default: close();
  }
}

void Session::on_eof() noexcept {
  switch (state_) {
    case State::Active: break;
    case State::Flushing:
      eof_ = true;
      stream_.set_reading(false);
      return;
    default: close(); return;
  }
  eof_ = true;
  closing_ = true;
  stream_.set_reading(false);
  const Exchange& x = *exchange_;
  if (x.body_state_ == BodyState::Open) {
    fail_body(http::Rejection::IncompleteBody);
    return;
  }
  // A FIN is also what a half-close looks like: gone only where the setting says so.
  if (cancels_on_disconnect(settings(), x.method())) mark_gone();
}

void Session::release(Exchange& x) noexcept {
  ASSERT(exchange_.get() == &x, "released by another session");
  server_.on_finished(x);
  const bool body_open = x.body_state_ == BodyState::Open;
  server_.recycle(std::move(exchange_));
  server_.on_released();
  if (state_ == State::Closed || !stream_.open()) {
    if (state_ != State::Closed) set_state(Event::Close);
    server_.remove(*this);
    return;
  }
  if (closing_) {
    set_state(Event::LastAnswer);
    end_with_linger();
  } else if (body_open) {
    set_state(Event::BodyLeft);
    discarded_ = 0;
    set_read_deadline(now() + kDrainTime);
    stream_.set_reading(true);
  } else {
    set_state(Event::Answered);
    next_request();
  }
}

// After an answer: begins with what was read ahead, or waits for more.
void Session::next_request() noexcept {
  chunked_.reset();
  if (stream_.queued() > settings().response_buffer) {
    flush();
    if (state_ != State::Idle || stream_.queued() > settings().response_buffer) return;
  }
  if (!stored_input().empty()) parse(stored_input(), true);
  if (state_ == State::Active) {  // its answer may leave together with the next
    // Nobody else asks for a body that is stored before the application starts.
    if (buffering_) want_body(*exchange_);
    return;
  }
  if (state_ == State::Idle || state_ == State::Head) {
    if (!held_) flush();
    if (state_ != State::Idle && state_ != State::Head) return;
    stream_.set_reading(true);
    if (state_ == State::Idle) enter_idle();
  }
}

void Session::enter_idle() noexcept {
  if (stream_.queued() > 0) return;  // on_drained comes back to this
  if (in_at_ == in_.size() && in_.capacity() > 0) {
    in_ = {};
    in_at_ = 0;
  }
  const Nanos limit = settings().keepalive;
  set_read_deadline(limit == kNever ? kNever : now() + limit);
  if (server_.draining()) {
    drain();
    if (state_ == State::Closed) return;
  }
  server_.set_idle(*this, true);
  // Last: this very connection may have to make room.
  if (server_.accept_paused_) server_.evict_idle();
}

void Session::uncork() noexcept {
  flush();
  // Corked output may be more than the buffer, and its writer wait for room. What is
  // left comes here by itself.
  if (stream_.open() && stream_.queued() == 0) on_drained();
}

void Session::flush() noexcept {
  ListHook<FlushTag>::unlink();
  held_ = false;
  if (!stream_.open()) return;
  const net::Io io = stream_.flush();
  if (io.step == net::Io::Step::Failed) {
    on_hangup();
  } else if (io.step == net::Io::Step::Again) {
    watch_output();
  }
}

void Session::on_drained() noexcept {
  write_deadline_ = kNever;
  switch (state_) {
    case State::Active:
      if (exchange_->consumer_) exchange_->consumer_->on_writable();
      return;
    case State::Idle: next_request(); return;
    case State::Flushing: start_linger(); return;
    default: return;
  }
}

// Sends what is left, then shuts our end.
void Session::end_with_linger() noexcept {
  if (why_ == Closed::Client) why_ = Closed::Answer;
  read_deadline_ = kNever;
  if (!stored_input().empty()) linger_ = true;
  in_ = {};
  in_at_ = 0;
  flush();
  if (state_ == State::Flushing && stream_.queued() == 0) start_linger();
}

void Session::start_linger() noexcept {
  if (!linger_ || eof_) {
    close();
    return;
  }
  set_state(Event::Sent);
  stream_.shutdown_write();
  stream_.set_reading(true);
  discarded_ = 0;
  set_read_deadline(now() + settings().linger_timeout);
}

void Session::discard() noexcept {
  const net::Io io = stream_.read(server_.scratch_);
  if (io.step == net::Io::Step::Again) return;
  if (io.step != net::Io::Step::Done) {
    on_eof();
    return;
  }
  discarded_ += io.bytes;
  server_.counters_.received_bytes += io.bytes;
  if (discarded_ <= settings().linger_bytes) return;
  if (state_ == State::Lingering) {
    close();
  } else {
    stream_.set_reading(false);
  }
}

void Session::drain() noexcept {
  if ((state_ != State::Idle && state_ != State::Proxied) || pass_on()) return;
  if (drained_ || !server_.closing()) return;
  drained_ = true;
  set_read_deadline(std::min(read_deadline_, now() + kDrainTime));
}

// To another server, between two requests. What the peer sends meanwhile waits in the
// kernel for the one that reads next.
bool Session::pass_on() noexcept {
  if (stream_.queued() > 0 || !stored_input().empty() || eof_) return false;
  const Passage passage{.peer = connection_.peer,
                        .local = connection_.local,
                        .deadline = read_deadline_,
                        .trusted = connection_.trusted,
                        .fresh = fresh_,
                        .proxied = state_ == State::Proxied};
  if (!server_.pass(stream_.fd(), passage)) return false;
  net::kernel::close(stream_.detach());
  why_ = Closed::Passed;
  set_state(Event::Close);
  server_.remove(*this);
  return true;
}

}  // namespace celadon::server
