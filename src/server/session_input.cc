// From bytes to Exchanges.
#include <algorithm>

#include "http/target.h"
#include "server/server.h"
#include "server/session.h"

namespace celadon::server {
namespace {

constexpr std::size_t kReadAhead = 64 * 1024;  // of pipelined requests

bool host_matches(std::string_view host, std::string_view pattern) noexcept {
  if (pattern == "*") return true;
  if (!pattern.starts_with('.')) return http::equals_ignoring_case(host, pattern);
  return http::equals_ignoring_case(host, pattern.substr(1)) ||
         (host.size() > pattern.size() &&
          http::equals_ignoring_case(host.substr(host.size() - pattern.size()),
                                     pattern));
}

bool host_allowed(const http::Request& request, const Settings& settings) noexcept {
  if (settings.allowed_hosts.empty()) return true;
  const http::Field* field = request.find(http::HeaderId::Host);
  const std::string_view authority = request.authority.size
                                         ? request.text(request.authority)
                                     : field ? request.value(*field)
                                             : std::string_view{};
  std::string_view host = http::split_authority(authority).host;
  if (host.ends_with('.')) host.remove_suffix(1);
  return std::ranges::any_of(settings.allowed_hosts, [&](const std::string& pattern) {
    return host_matches(host, pattern);
  });
}

}  // namespace

// How many bytes may be read now: 0 pauses reading.
std::size_t Session::read_room() const noexcept {
  if (state_ != State::Active) return Server::kScratch;
  const Exchange& x = *exchange_;
  if (x.body_state_ != BodyState::Open) {
    const std::size_t held = in_.size() - in_at_;
    return held >= kReadAhead ? 0 : kReadAhead - held;
  }
  if (settings().request_buffering) return Server::kScratch;
  const std::size_t held = x.body().size();
  return held >= settings().body_buffer ? 0 : settings().body_buffer - held;
}

void Session::on_readable() noexcept {
  if (state_ == State::Lingering || state_ == State::Flushing) {
    discard();
    return;
  }
  const std::size_t room = std::min(read_room(), Server::kScratch);
  if (room == 0) {
    stream_.set_reading(false);
    return;
  }
  const net::Io io = stream_.read(std::span(server_.scratch_).first(room));
  switch (io.step) {
    case net::Io::Step::Again: return;
    case net::Io::Step::Eof: on_eof(); return;
    case net::Io::Step::Failed: on_hangup(); return;
    case net::Io::Step::Done: break;
  }
  server_.counters_.received_bytes += io.bytes;
  on_bytes({server_.scratch_.data(), io.bytes});
}

void Session::on_bytes(std::string_view bytes) noexcept {
  switch (state_) {
    case State::Proxied: on_proxy_bytes(bytes); return;
    case State::Idle:
    case State::Head:
      if (stored_input().empty()) {
        parse(bytes, false);
      } else {
        keep_input(bytes);
        parse(stored_input(), true);
      }
      return;
    case State::Active:
      if (exchange_->body_state_ == BodyState::Open) feed_body(bytes);
      // A chunked body that failed leaves bytes nobody may look at.
      if (!closing_) keep_input(bytes);
      return;
    case State::Draining:
      discarded_ += bytes.size();
      feed_body(bytes);
      keep_input(bytes);
      if (state_ == State::Idle) next_request();
      return;
    case State::Flushing:
    case State::Lingering:
    case State::Closed: return;
  }
}

void Session::keep_input(std::string_view bytes) noexcept {
  if (bytes.empty()) return;
  if (in_at_ > 0) {
    in_.erase(0, in_at_);
    in_at_ = 0;
  }
  in_.append(bytes);
}

void Session::drop_input(std::size_t n) noexcept {
  in_at_ += n;
  if (in_at_ == in_.size()) {
    in_.clear();
    in_at_ = 0;
  }
}

void Session::on_proxy_bytes(std::string_view bytes) noexcept {
  if (!settings().proxy_allow.contains(connection_.peer)) {
    close();
    return;
  }
  keep_input(bytes);
  const auto result =
      net::parse_proxy_header(stored_input(), settings().proxy_protocol);
  switch (result.step) {
    case net::ProxyResult::Step::NeedMore: return;
    case net::ProxyResult::Step::Bad:
      server_.log_.log(Level::Warning, "bad PROXY protocol header from " +
                                           connection_.peer.text() + ", closed");
      close();
      return;
    case net::ProxyResult::Step::Done: break;
  }
  if (result.source) connection_.peer = *result.source;
  if (result.destination) connection_.local = *result.destination;
  // The proxy stays the one that is trusted or not, as in gunicorn.
  drop_input(result.consumed);
  set_state(Event::ProxyHeader);
  if (!stored_input().empty()) parse(stored_input(), true);
}

void Session::parse(std::string_view bytes, bool stored) noexcept {
  using Step = http::h1::HeadParser::Step;
  http::h1::HeadParser& parser = parser_ ? *parser_ : server_.parser_;
  if (!parser_) parser.reset();
  switch (parser.feed(bytes)) {
    case Step::Done: begin(parser, bytes, stored); return;
    case Step::Rejected: reject(parser.rejection()); return;
    case Step::NeedMore: break;
  }
  if (!stored) keep_input(bytes);
  if (!parser_) {
    // The shared parser is only lent: this head gets its own and goes on with it.
    parser_ = std::make_unique<http::h1::HeadParser>(settings().limits);
    [[maybe_unused]] const Step again = parser_->feed(stored_input());
  }
  if (state_ == State::Idle) {
    set_state(Event::Bytes);
    const Nanos limit = settings().header_timeout;
    if (!fresh_) set_read_deadline(limit == kNever ? kNever : now() + limit);
  }
}

void Session::begin(http::h1::HeadParser& parser, std::string_view bytes,
                    bool stored) noexcept {
  if (!host_allowed(parser.request(), settings())) {
    reject(http::Rejection::WrongHost);
    return;
  }
  const std::size_t size = parser.consumed();
  exchange_ = server_.make_exchange();
  Exchange& x = *exchange_;
  x.reset(*this, connection_);
  x.head_.assign(bytes.substr(0, size));
  std::swap(x.request_, parser.request());
  x.request_.base = x.head_.data();
  x.received_at = now();
  x.pipelined = stored ? ++pipelined_ : pipelined_ = 0;
  parser_.reset();
  fresh_ = false;
  closing_ = x.request_.close;
  set_state(Event::Request);
  ++server_.counters_.requests;
  if (connection_.trusted) x.waited_before = server_.waited_before(x.request_);

  std::string_view rest = bytes.substr(size);
  if (x.request_.body == http::BodyKind::None) {
    read_deadline_ = kNever;
  } else {
    setup_body(x);
    feed_body(rest);
    if (x.body_state_ == BodyState::Open) start_body_clock();
  }
  if (stored) {
    drop_input(bytes.size() - rest.size());
  } else {
    keep_input(rest);
  }
  if (state_ != State::Active) return;  // refused while its body was fed
  buffering_ = settings().request_buffering && x.body_state_ != BodyState::Complete;
  if (!buffering_) {
    server_.admit(x);
  } else if (x.body_state_ == BodyState::Open) {
    send_continue(x);
  } else {
    refuse_buffered();
  }
}

// Refuses what is not a request yet.
void Session::reject(http::Rejection why) noexcept {
  server_.log_refusal(connection_.peer, why, nullptr);
  parser_.reset();
  closing_ = linger_ = true;
  send_page(why, true, {});
  if (state_ == State::Closed) return;
  set_state(Event::LastAnswer);
  end_with_linger();
}

}  // namespace celadon::server
