// From bytes to Exchanges.
#include <algorithm>

#include "http/target.h"
#include "net/proxy_protocol.h"
#include "server/h1_session.h"
#include "server/page.h"
#include "server/server.h"

namespace celadon::server {
namespace {

// Requests of one connection that are answered within the call, until others have their
// turn.
constexpr int kInOneGo = 32;

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

// RS07, for what never became a request.
bool asks_for_head_alone(std::string_view head) noexcept {
  const std::size_t begin = head.find_first_not_of("\r\n");
  return begin != std::string_view::npos && head.substr(begin).starts_with("HEAD ");
}

}  // namespace

void H1Session::on_bytes(std::string_view bytes) noexcept {
  switch (state().stage) {
    case Stage::Preface: return on_preface(bytes);
    case Stage::Handshake: return;  // they are the cipher's
    case Stage::None:
    case Stage::Head: return serve(bytes);
    case Stage::Answered:
      skip_rest(bytes);
      return state().stage == Stage::None ? serve({}) : void();
    case Stage::Lent:
    case Stage::Whole: return;
    case Stage::Offered:
    case Stage::Active: break;
  }
  feed(bytes);
  if (state().input == Input::Open) {
    keep(bytes);
  } else {
    discarded_ += bytes.size();
  }
  offer_collected();
}

void H1Session::take_no_more() noexcept {
  if (state().input == Input::Open) set_input(Input::Last);
  ahead_.reset();
}

void H1Session::keep(std::string_view bytes) noexcept {
  if (bytes.empty()) return;
  if (!ahead_) ahead_ = std::make_unique<Ahead>();
  ahead_->bytes.erase(0, std::exchange(ahead_->at, 0));
  ahead_->bytes.append(bytes);
}

void H1Session::drop(std::size_t n) noexcept {
  if (!ahead_) return;  // all of it was thrown away meanwhile
  ahead_->at += n;
  if (ahead_->at < ahead_->bytes.size()) return;
  ahead_->bytes.clear();
  ahead_->at = 0;
}

// Takes requests until one is with the application, none is whole, or others have their
// turn. `fresh` was just read and is not stored yet.
void H1Session::serve(std::string_view fresh) noexcept {
  if (state().input == Input::Last) return;
  if (has_input()) {
    keep(fresh);
    fresh = {};
  }
  for (int i = 0; i < kInOneGo; ++i) {
    if (is_full() && (!flush() || is_full())) break;  // go_on() follows
    if (!begin_next(fresh) || !open()) return;
    if (state().stage == Stage::Answered) skip_rest({});
    if (state().stage != Stage::None || state().input == Input::Last) return;
  }
  keep(fresh);
  mark_input();
}

// Whether a request began, which may be over by now.
bool H1Session::begin_next(std::string_view& fresh) noexcept {
  using Step = http::h1::HeadParser::Step;
  const bool is_stored = fresh.empty();
  const std::string_view bytes = is_stored ? stored() : std::exchange(fresh, {});
  if (bytes.empty()) return false;
  http::h1::HeadParser& parser = parser_ ? *parser_ : server_.parser();
  if (!parser_) parser.reset(known_block_, empty_lines_);
  switch (parser.feed(bytes)) {
    case Step::Done: begin(parser, bytes, is_stored); return true;
    case Step::Rejected: reject(parser.rejection(), bytes); return false;
    case Step::NeedMore: break;
  }
  if (parser.is_between(bytes)) {
    forget_empty_lines(parser, bytes, is_stored);
  } else {
    wait_for_head(bytes, is_stored);
  }
  return false;
}

// Some send an empty line behind a body, which begins no request (RFC 9112 2.2).
void H1Session::forget_empty_lines(const http::h1::HeadParser& parser,
                                   std::string_view bytes, bool is_stored) noexcept {
  empty_lines_ = parser.empty_lines();
  if (is_stored) drop(bytes.size());
  parser_.reset();
  if (state().stage == Stage::Head) set_stage(Stage::None);
}

void H1Session::wait_for_head(std::string_view bytes, bool is_stored) noexcept {
  if (!is_stored) keep(bytes);
  if (!parser_) {
    // The shared parser is only lent: this head gets its own and goes on with it.
    parser_ = std::make_unique<http::h1::HeadParser>(settings().limits);
    parser_->reset(empty_lines_);
    [[maybe_unused]] const auto again = parser_->feed(stored());
  }
  if (state().stage == Stage::Head) return;
  set_stage(Stage::Head);
  if (!fresh_) mark_input();  // of a first one the wait began with the connection
}

void H1Session::begin(http::h1::HeadParser& parser, std::string_view bytes,
                      bool is_stored) noexcept {
  if (!host_allowed(parser.request(), settings()))
    return reject(http::Rejection::WrongHost, bytes);
  const std::size_t size = parser.consumed();
  exchange_ = server_.ledger().open();
  Exchange& x = *exchange_;
  x.begin(*this, connection_,
          {.version = parser.request().version, .tls = connection_.cipher != nullptr});
  x.take_head(bytes.substr(0, size), parser.request());
  x.received_at = now();
  x.pipelined = is_stored ? ++pipelined_ : pipelined_ = 0;
  parser_.reset();
  empty_lines_ = 0;
  fresh_ = false;
  discarded_ = 0;
  set_stage(Stage::Offered);

  // What follows is stored before anybody is called: they may read more.
  std::string_view rest = bytes.substr(size);
  if (x.request().body != http::BodyKind::None) {
    open_body(x);
    feed(rest);
    if (state().input == Input::Ended && x.body_state() == BodyState::Open)
      body_failed(http::Rejection::IncompleteBody);
  }
  if (is_stored) {
    drop(bytes.size() - rest.size());
  } else {
    keep(rest);
  }
  if (x.request().close) take_no_more();
  offer();
  note_offered();
}

// To the application, or first to the store for its body.
void H1Session::offer() noexcept {
  Exchange& x = *exchange_;
  if (!x.buffered() || x.body_state() == BodyState::Complete)
    return server_.ledger().admit(x);
  if (x.body_state() == BodyState::Failed)
    return server_.ledger().refuse_unheard(x, x.body_rejection());
  expect_body();
  if (open()) return;
  // The client is found to be gone, and nobody else has heard of this request.
  server_.ledger().withdraw(std::move(exchange_));
  remove();
}

// Its receiver has returned.
void H1Session::note_offered() noexcept {
  if (state().stage != Stage::Offered) return;
  set_stage(Stage::Active);
  if (ends_with_connection()) note_whole();
}

// A request whose body was collected, or will not be.
void H1Session::offer_collected() noexcept {
  if (state().stage != Stage::Active) return;
  const Exchange& x = *exchange_;
  const bool is_heard_of = x.running || x.linked();
  if (!x.buffered() || is_heard_of || x.body_state() == BodyState::Open) return;
  set_stage(Stage::Offered);
  offer();
  note_offered();
  if (open() && state().stage == Stage::None) serve({});
}

// Refuses what is not a request yet.
void H1Session::reject(http::Rejection why, std::string_view head) noexcept {
  const bool says_nothing = asks_for_head_alone(head);  // before it is thrown away
  server_.ledger().note_refusal(connection_.peer, why, nullptr, head);
  parser_.reset();
  if (state().stage == Stage::Head) set_stage(Stage::None);
  take_no_more();
  const Page page(why, settings().retry_after);
  std::string& out = server_.render();
  out.clear();
  http::h1::append_head(
      out, page.head(), http::h1::Framing::Length, page.body().size(),
      {.lines = server_.ledger().own_lines(false, false), .close = true});
  if (!says_nothing) out += page.body();
  [[maybe_unused]] const bool sent = put(out, {}, {}, {}, net::Leave::Now);
}

void H1Session::on_preface(std::string_view bytes) noexcept {
  if (!settings().proxy_allow.contains(connection_.peer)) return close(Closed::Client);
  keep(bytes);
  const auto result = net::parse_proxy_header(stored(), settings().proxy_protocol);
  switch (result.step) {
    case net::ProxyResult::Step::NeedMore: return;
    case net::ProxyResult::Step::Bad:
      server_.log().log(Level::Warning, "bad PROXY protocol header from " +
                                            connection_.peer.text() + ", closed");
      return close(Closed::Client);
    case net::ProxyResult::Step::Done: break;
  }
  if (result.source) connection_.peer = *result.source;
  if (result.destination) connection_.local = *result.destination;
  // The proxy stays the one that is trusted or not, as in gunicorn.
  drop(result.consumed);
  if (!speaks_tls()) {
    set_stage(Stage::None);
    return serve({});
  }
  const std::string received(stored());
  ahead_.reset();
  begin_handshake(received);
}

void H1Session::on_plain_http() noexcept {
  reject(http::Rejection::PlainHttp, {});
}

}  // namespace celadon::server
