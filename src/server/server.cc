#include "server/server.h"

#include <algorithm>

#include "http/request_start.h"
#include "net/kernel.h"
#include "server/slow_request.h"

namespace celadon::server {

Server::Server(loop::Loop& loop, App& app, Settings settings, LogSink& log)
    : Server(loop, app, std::move(settings), log, {own_counters_, own_load_}) {}

Server::Server(loop::Loop& loop, App& app, Settings settings, LogSink& log, Cells cells)
    : loop_(loop),
      app_(app),
      settings_(std::move(settings)),
      log_(log),
      counters_(cells.counters),
      load_(cells.load),
      slow_after_(settings_.slow_request > 0 ? settings_.slow_request : kSlow),
      naming_(settings_.request_id_header),
      parser_(settings_.limits) {
  render_.reserve(4096);
  wall_offset_ = loop_.clock().wall() - loop_.now();
  loop_.add_hook(*this);
}

Server::~Server() {
  close_all();
  listeners_.clear();
}

std::expected<void, Error> Server::add_listener(net::ListenSocket socket) noexcept {
  auto listener = std::make_unique<net::Listener>(loop_, std::move(socket), *this);
  if (auto started = listener->start(); !started) return started;
  listeners_.push_back(std::move(listener));
  return {};
}

void Server::set_access_log(std::unique_ptr<AccessLog> log) noexcept {
  access_log_ = std::move(log);
}

bool Server::on_accept(int fd, const net::Address& peer, net::Listener&) noexcept {
  // A connection that was accepted is always served: room was made for it before.
  ++counters_.accepted;
  if (peers_ && (draining_ || peers_->over_share())) {
    const bool proxied = settings_.proxy_protocol != net::ProxyMode::Off;
    const Nanos limit = settings_.header_timeout;
    const Passage passage{.peer = peer,
                          .local = Session::local_address(fd),
                          .deadline = limit == kNever ? kNever : loop_.now() + limit,
                          .trusted = settings_.forwarded_allow.contains(peer),
                          .proxied = proxied};
    if (pass(fd, passage)) {
      ++counters_.closed[static_cast<std::size_t>(Closed::Passed)];
      net::kernel::close(fd);
      return true;
    }
  }
  Session& session = add_session(fd, peer);
  if (!session.start()) {
    session.close();
    return true;
  }
  if (load_.connections < settings_.worker_connections || evict_idle()) return true;
  accept_paused_ = true;
  for (auto& listener : listeners_) listener->stop();
  return false;
}

// The list owns its sessions; remove() hands them to the loop to be destroyed.
Session& Server::add_session(int fd, const net::Address& peer) noexcept {
  ++load_.connections;
  auto* session = std::make_unique<Session>(*this, fd, peer).release();
  sessions_.push_back(*session);
  return *session;
}

bool Server::pass(int fd, const Passage& passage) noexcept {
  if (!peers_ || !peers_->pass(fd, passage)) return false;
  ++counters_.passed;
  return true;
}

void Server::take(int fd, const Passage& passage) noexcept {
  ++counters_.taken;
  Session& session = add_session(fd, passage.peer);
  if (!session.resume(passage)) return session.close();
  if (load_.connections > settings_.worker_connections) evict_idle();
}

void Server::on_accept_error(Error error) noexcept {
  if (counters_.accept_errors++ == 0) {
    log_.log(Level::Warning,
             "cannot accept, paused for 100 ms: " + std::string(describe(error)));
  }
  evict_idle();
}

// Makes room by closing the connection that has been idle for longest. New ones that
// have not sent a request yet are not idle: header_timeout bounds them.
bool Server::evict_idle() noexcept {
  Session* oldest = idle_.front();
  if (!oldest) return false;
  ++counters_.evicted;
  oldest->close(Closed::Evicted);
  return true;
}

void Server::resume_accepting() noexcept {
  if (!accept_paused_ || draining_) return;
  accept_paused_ = false;
  for (auto& listener : listeners_) {
    if (!listener->start()) accept_paused_ = true;
  }
}

void Server::remove(Session& session) noexcept {
  session.ListHook<Session>::unlink();
  set_idle(session, false);
  session.ListHook<FlushTag>::unlink();
  --load_.connections;
  ++counters_.closed[static_cast<std::size_t>(session.why())];
  loop_.dispose(std::unique_ptr<Session>(&session));
  if (accept_paused_) resume_accepting();
}

void Server::set_idle(Session& session, bool idle) noexcept {
  auto& hook = static_cast<ListHook<IdleTag>&>(session);
  if (hook.linked() == idle) return;
  if (idle) {
    idle_.push_back(session);
    ++load_.idle;
  } else {
    hook.unlink();
    --load_.idle;
  }
}

std::unique_ptr<Exchange> Server::make_exchange() noexcept {
  if (pool_.empty()) return std::make_unique<Exchange>();
  auto exchange = std::move(pool_.back());
  pool_.pop_back();
  return exchange;
}

void Server::recycle(std::unique_ptr<Exchange> exchange) noexcept {
  // One that had a body gives its memory back.
  if (exchange->request().body == http::BodyKind::None && pool_.size() < kPooled) {
    pool_.push_back(std::move(exchange));
  }
}

void Server::drop_pool() noexcept {
  pool_.clear();
  pool_.shrink_to_fit();
}

void Server::admit(Exchange& x) noexcept {
  // Whoever sent it has given up by now: it would only delay others.
  if (front_ && front_->take(x)) return;
  if (x.waited_before > 0 && admission_.is_overdue(x, loop_.now()))
    return overload(x, Refused::QueueTimeout);
  switch (admission_.judge(x, load_.in_flight, load_.queued)) {
    case Admission::Verdict::Run: return run(x);
    case Admission::Verdict::Refuse: return overload(x, Refused::QueueFull);
    case Admission::Verdict::Wait: break;
  }
  ++load_.queued;
  admission_.push(x);
  arm_queue_timer();
}

void Server::enter(Exchange& x) noexcept {
  ++load_.in_flight;
  x.passed_admission_ = true;
  x.method_ = http::parse_method(x.method());
  ++load_.active[static_cast<std::size_t>(x.method_)];
}

void Server::run(Exchange& x) noexcept {
  enter(x);
  app_.on_request(x);
}

void Server::overload(Exchange& x, Refused why) noexcept {
  ++counters_.overloaded;
  ++counters_.refused[static_cast<std::size_t>(why)];
  enter(x);  // release() takes it back
  x.refuse(http::Rejection::Overloaded);
  x.release();
}

void Server::arm_queue_timer() noexcept {
  const Nanos due = admission_.due();
  if (due != kNever && !Timer::armed()) loop_.arm(*this, due);
}

void Server::on_released() noexcept {
  while (Exchange* x = admission_.pop(load_.in_flight)) {
    --load_.queued;
    run(*x);
  }
}

void Server::forget_queued(Exchange& x) noexcept {
  x.unlink();
  --load_.queued;
}

void Server::on_timer() noexcept {
  while (Exchange* x = admission_.pop_overdue(loop_.now())) {
    --load_.queued;
    overload(*x, Refused::QueueTimeout);
  }
  arm_queue_timer();
}

// Its output leaves at the end of the turn, or with the first that comes after kHold.
void Server::cork(Session& session) noexcept {
  const Nanos now = loop_.now();
  if (corked_.empty()) corked_since_ = now;
  if (!session.ListHook<FlushTag>::linked()) corked_.push_back(session);
  if (now - corked_since_ > kHold) flush_corked();
}

void Server::flush_corked() noexcept {
  while (Session* session = corked_.pop_front()) session->uncork();
}

void Server::on_turn_end() noexcept {
  flush_corked();
  if (!access_log_) return;
  access_log_->publish();
  tell_dropped_lines();
}

// At most now and then: a full disk loses many.
void Server::tell_dropped_lines() noexcept {
  const std::uint64_t lost = access_log_->take_dropped();
  if (lost == 0) return;
  counters_.log_dropped += lost;
  if (loop_.now() < dropped_told_) return;
  dropped_told_ = loop_.now() + kTellDropped;
  log_.log(Level::Warning, std::to_string(counters_.log_dropped) +
                               " lines of the access log were lost until now");
}

bool Server::names_itself(const http::ResponseHead& head) const noexcept {
  if (naming_.header_id() == http::HeaderId::XRequestId) return head.has_request_id;
  return std::ranges::any_of(head.headers, [this](const http::HeaderView& field) {
    return http::equals_ignoring_case(field.name, naming_.header());
  });
}

Nanos Server::waited_before(const http::Request& request) noexcept {
  const http::Field* field = request.find(http::HeaderId::XRequestStart);
  const auto began =
      field ? http::parse_request_start(request.value(*field)) : std::nullopt;
  const Nanos waited = began ? loop_.now() + wall_offset_ - *began : 0;
  return waited > 0 && waited < kMostWaitedBefore ? waited : 0;
}

void Server::drain() noexcept {
  if (draining_) return;
  draining_ = true;
  for (auto& listener : listeners_) listener->accept_queued_and_stop();
  drain_sessions();
}

void Server::drain_sessions() noexcept {
  Session* next = nullptr;
  for (Session* s = sessions_.front(); s; s = next) {
    next = sessions_.next(*s);
    s->drain();
  }
  // Others may have no room just now, or no one else may be there any more.
  if (!sessions_.empty() && peers_) loop_.arm(retry_, loop_.now() + kRetryPeriod);
}

void Server::cancel_requests() noexcept {
  for (Session* s = sessions_.front(); s; s = sessions_.next(*s)) {
    Exchange* x = s->exchange();
    if (x && !x->linked()) app_.on_cancel(*x);
  }
}

void Server::close_all() noexcept {
  for (auto& listener : listeners_) listener->stop();
  Session* next = nullptr;
  for (Session* s = sessions_.front(); s; s = next) {
    next = sessions_.next(*s);
    s->close(Closed::Server);
  }
}

void Server::abandon() noexcept {
  for (auto& listener : listeners_) listener->abandon();
  for (Session* s = sessions_.front(); s; s = sessions_.next(*s)) s->abandon();
  if (access_log_) access_log_->abandon();
}

std::string_view Server::own_lines(bool has_date, bool has_server) noexcept {
  if (loop_.now() >= date_until_) {
    const Nanos wall = loop_.clock().wall();
    date_until_ = loop_.now() + kSecond - wall % kSecond;
    wall_offset_ = wall - loop_.now();
    char date[http::kDateSize];
    http::format_date(wall / kSecond, date);
    own_lines_.clear();
    if (settings_.date_header) {
      own_lines_.append("Date: ").append(date, sizeof date).append("\r\n");
    }
    date_line_ = own_lines_.size();
    if (!settings_.server_header.empty()) {
      own_lines_.append("Server: ").append(settings_.server_header).append("\r\n");
    }
  }
  std::string_view lines = own_lines_;
  if (has_server) lines = lines.substr(0, date_line_);
  if (has_date) lines.remove_prefix(date_line_);
  return lines;
}

void Server::log_refusal(const net::Address& peer, http::Rejection why,
                         const http::Request* request) noexcept {
  ++counters_.rejected;
  if (why != http::Rejection::Overloaded) {
    ++counters_.refused[static_cast<std::size_t>(refused_for(why))];
  }
  const auto info = http::rejection_info(why);
  if (access_log_ && !request) {
    AccessRecord record;
    record.peer = &peer;
    record.status = info.status;
    access_log_->write(record, loop_.clock());
  }
  const std::int64_t second = loop_.now() / kSecond;
  if (second != refusal_second_) {
    if (refusals_unlogged_ > 0) {
      log_.log(Level::Warning, std::to_string(refusals_unlogged_) +
                                   " more refused requests not logged");
    }
    refusal_second_ = second;
    refusal_lines_ = 0;
    refusals_unlogged_ = 0;
  }
  if (++refusal_lines_ > kRefusalLinesPerSecond) {
    ++refusals_unlogged_;
    return;
  }
  std::string line = "refused a request from " + peer.text() + ": " +
                     std::to_string(info.status) + " " + std::string(info.text);
  if (request) line += " \"" + escape_for_log(request->text(request->target)) + "\"";
  log_.log(Level::Warning, line);
}

// An answer has ended, whole or not: what is known of it is written down.
void Server::on_finished(Exchange& x) noexcept {
  if (std::exchange(x.passed_admission_, false)) {
    --load_.in_flight;
    --load_.active[static_cast<std::size_t>(x.method_)];
  }
  const bool at_once = x.at_once_ && x.answered_at > 0;
  const Nanos ended = at_once ? x.answered_at : loop_.clock().now();
  const Finished request{
      .exchange = x,
      .duration = ended - x.received_at,
      .queued = std::max<Nanos>(x.started_at - x.received_at, 0) + x.waited_before,
      .first_byte = x.answered_at > 0 ? x.answered_at - x.received_at : kNever};
  counters_.queued.observe(static_cast<std::uint64_t>(request.queued));
  if (x.answered_at > 0) {
    counters_.first_byte.observe(static_cast<std::uint64_t>(request.first_byte));
  }
  if (x.request().body != http::BodyKind::None) {
    counters_.request_body.observe(x.body_size());
  }
  counters_.response_body.observe(x.bytes_sent());
  if (meter_) meter_->on_finished(request);
  if (request.duration >= slow_after_) note_slow(request);
  if (access_log_) log_access(request);
}

// In the log only where that is wanted, and not by the hundred.
void Server::note_slow(const Finished& request) noexcept {
  const bool logged = settings_.slow_request > 0;
  const std::int64_t second = loop_.now() / kSecond;
  if (second != slow_second_) {
    slow_second_ = second;
    slow_lines_ = 0;
  }
  if (++slow_lines_ > kSlowLinesPerSecond) return;
  const std::string text = describe_slow(request);
  if (logged) log_.log(Level::Warning, "slow request: " + text);
  if (meter_) meter_->on_slow(text);
}

void Server::log_access(const Finished& request) noexcept {
  Exchange& x = request.exchange;
  const auto views = [](const Exchange::LoggedPairs& pairs) {
    std::vector<http::HeaderView> made;
    for (const auto& [name, value] : pairs) made.push_back({name, value});
    return made;
  };
  const auto headers = views(x.logged_headers());
  const auto environ = views(x.logged_environ());
  AccessRecord record;
  record.peer = &x.connection().peer;
  record.request = &x.request();
  if (access_log_->format().wants_identity()) record.identity = &x.identity();
  record.response_headers = headers;
  record.environ = environ;
  record.status = x.status();
  record.bytes = x.bytes_sent();
  record.bytes_in = x.head_.size() + x.body_size();
  record.duration = request.duration;
  record.queued = request.queued;
  record.first_byte = request.first_byte;
  record.account = x.account;
  record.ended = x.received_at + request.duration;
  record.route = x.route();
  record.gone = x.gone();
  access_log_->write(record, loop_.clock());
}

}  // namespace celadon::server
