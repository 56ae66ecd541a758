#include "server/ledger.h"

#include <algorithm>

#include "http/request_start.h"
#include "server/page.h"
#include "server/slow_request.h"

namespace celadon::server {
namespace {

constexpr std::size_t kShownOfHead = 100;  // bytes

// The setting that would let it pass.
std::string_view setting_of(http::Rejection why) noexcept {
  using enum http::Rejection;
  switch (why) {
    case LineTooLong: return "limit_request_line";
    case HeadTooLarge:
      return "limit_request_fields, limit_request_field_size, limit_request_head";
    case BodyTooLarge: return "limit_request_body";
    case SlowHead: return "header_timeout";
    case SlowBody: return "body_timeout, body_min_rate";
    case WrongHost: return "allowed_hosts";
    default: return {};
  }
}

// What those who speak something else begin with.
std::string_view other_protocol(std::string_view head) noexcept {
  if (head.starts_with("\x16\x03")) {
    return "; that is TLS, which is not served: a proxy in front ends it";
  }
  // A uwsgi packet: a zero, the size of what follows in two bytes, a zero.
  if (head.size() >= 4 && head[0] == '\0' && head[3] == '\0') {
    return "; that is the uwsgi protocol: proxy_pass in place of uwsgi_pass";
  }
  return {};
}

// The first line of what was no request, or as much of it as fits a log.
std::string beginning_of(std::string_view head) {
  if (const std::string_view other = other_protocol(head); !other.empty()) {
    return std::string(other);
  }
  const std::string_view line = head.substr(0, head.find_first_of("\r\n"));
  return line.empty() ? "" : " \"" + escape_for_log(line, kShownOfHead) + "\"";
}

}  // namespace

Ledger::Ledger(loop::Loop& loop, App& app, const Settings& settings, LogSink& log,
               Cells cells)
    : loop_(loop),
      app_(app),
      settings_(settings),
      log_(log),
      counters_(cells.counters),
      load_(cells.load),
      under_way_(cells.under_way),
      naming_(settings.request_id_header),
      slow_after_(settings.slow_request > 0 ? settings.slow_request : kSlow) {
  own_lines_.renew();
}

void Ledger::set_access_log(std::unique_ptr<AccessLog> log) noexcept {
  access_log_ = std::move(log);
}

std::unique_ptr<Exchange> Ledger::open() noexcept {
  ++counters_.requests;
  auto exchange = free_.take();
  return exchange ? std::move(exchange) : std::make_unique<Exchange>();
}

// --- who runs ---

void Ledger::admit(Exchange& x) noexcept {
  x.counted_as = http::parse_method(x.method());
  if (x.connection().trusted) x.waited_before = waited_before(x.request());
  if (front_ && front_->take(x)) return;
  // Whoever sent it has given up by now: it would only delay others.
  if (x.waited_before > 0 && admission_.is_overdue(x, loop_.now()))
    return overload(x, Refused::QueueTimeout);
  switch (admission_.judge(x, load_.in_flight, load_.queued)) {
    case Admission::Verdict::Run: return run(x);
    case Admission::Verdict::Refuse: return overload(x, Refused::QueueFull);
    case Admission::Verdict::Wait: break;
  }
  ++load_.queued;
  x.queued_at = loop_.now();
  admission_.push(x);
  arm_queue_timer();
}

void Ledger::enter(Exchange& x) noexcept {
  ++load_.in_flight;
  x.running = true;
  ++load_.active[static_cast<std::size_t>(x.counted_as)];
}

void Ledger::run(Exchange& x) noexcept {
  enter(x);
  if (under_way_)
    x.noted_at = under_way_->note(x.method(), x.request().text(x.request().target));
  app_.on_request(x);
}

void Ledger::leave(Exchange& x) noexcept {
  if (!std::exchange(x.running, false)) return;
  --load_.in_flight;
  --load_.active[static_cast<std::size_t>(x.counted_as)];
  if (x.noted_at != UnderWay::kNone)
    under_way_->forget(std::exchange(x.noted_at, UnderWay::kNone));
}

void Ledger::overload(Exchange& x, Refused why) noexcept {
  ++counters_.overloaded;
  ++counters_.refused[static_cast<std::size_t>(why)];
  refuse_unheard(x, http::Rejection::Overloaded);
}

void Ledger::refuse_unheard(Exchange& x, http::Rejection why) noexcept {
  x.counted_as = http::parse_method(x.method());
  enter(x);  // release() takes it back
  x.refuse(why);
  x.release();
}

void Ledger::arm_queue_timer() noexcept {
  const Nanos due = admission_.due();
  if (due != kNever && !Timer::armed()) loop_.arm(*this, due);
}

void Ledger::on_timer() noexcept {
  while (Exchange* x = admission_.pop_overdue(loop_.now())) {
    --load_.queued;
    overload(*x, Refused::QueueTimeout);
  }
  arm_queue_timer();
}

void Ledger::hand_out() noexcept {
  if (load_.queued == 0) return;
  if (handing_out_) return;  // the loop below goes on with what became free
  handing_out_ = true;
  while (Exchange* x = admission_.pop(load_.in_flight)) {
    --load_.queued;
    run(*x);
  }
  handing_out_ = false;
}

void Ledger::settle(std::unique_ptr<Exchange> x) noexcept {
  leave(*x);
  count(*x);
  x->trim();
  // One that had a body gives its memory back.
  if (x->request().body == http::BodyKind::None) free_.put(std::move(x));
}

void Ledger::withdraw(std::unique_ptr<Exchange> x) noexcept {
  if (!x->linked()) return;
  x->unlink();
  --load_.queued;
}

Nanos Ledger::waited_before(const http::Request& request) noexcept {
  const http::Field* field = request.find(http::HeaderId::XRequestStart);
  const auto began =
      field ? http::parse_request_start(request.value(*field)) : std::nullopt;
  if (!began) return 0;
  const Nanos now = wall(loop_.now());
  // Compared before it is subtracted: the client chooses this number.
  if (*began >= now || *began < now - kMostWaitedBefore) return 0;
  return now - *began;
}

// --- refusals ---

void Ledger::send_refusal(Exchange& x, http::Rejection why) noexcept {
  const bool theirs = !http::is_application_fault(why);
  if (theirs) note_refusal(x.connection().peer, why, &x.request());
  const Page page(why, settings_.retry_after);
  http::ResponseHead head = page.head();
  head.close = theirs;
  x.send_head(head, page.body(), {}, Part::Last);
}

void Ledger::complain(Exchange& x, Misfit what) noexcept {
  name(x);
  std::string target = escape_for_log(x.request().text(x.request().target));
  if (const std::string_view id = x.names().request_id(); !id.empty()) {
    target.append(" [request_id=").append(id).append("]");
  }
  if (what == Misfit::TooMuch) {
    log_.log(
        Level::Warning,
        "the application sent more than its Content-Length, the rest was dropped: " +
            target);
  } else {
    log_.log(Level::Error,
             "the application sent less than its Content-Length, connection closed: " +
                 target);
  }
}

void Ledger::note_refusal(const net::Address& peer, http::Rejection why,
                          const http::Request* request,
                          std::string_view head) noexcept {
  ++counters_.rejected;
  if (why != http::Rejection::Overloaded) {
    ++counters_.refused[static_cast<std::size_t>(refused_for(why))];
  }
  const auto info = http::rejection_info(why);
  if (access_log_ && !request) {
    AccessRecord record;
    record.peer = &peer;
    record.status = info.status;
    access_log_->write(record, wall(loop_.now()));
  }
  const auto tell = [this](unsigned more) {
    log_.log(Level::Warning,
             std::to_string(more) + " more refused requests not logged");
  };
  if (!refusals_.allows(loop_.now(), tell)) return;
  std::string line = "refused a request from " + peer.text() + ": " +
                     std::to_string(info.status) + " " + std::string(info.text);
  if (const std::string_view name = setting_of(why); !name.empty()) {
    line.append(" (").append(name).append(")");
  }
  if (request) line += " \"" + escape_for_log(request->text(request->target)) + "\"";
  if (!head.empty()) line += beginning_of(head);
  log_.log(Level::Warning, line);
}

// --- names ---

void Ledger::name(Exchange& x) noexcept {
  if (x.names().id_size > 0) return;
  naming_.name(x.names(), x.request(), x.connection().trusted, wall(loop_.now()));
}

void Ledger::identify(Exchange& x) noexcept {
  name(x);
  if (x.names().trace_size > 0 || !settings_.trace_context) return;
  naming_.trace(x.names(), x.request());
}

bool Ledger::names_itself(const http::ResponseHead& head) const noexcept {
  if (naming_.header_id() == http::HeaderId::XRequestId) return head.has_request_id;
  return std::ranges::any_of(head.headers, [this](const http::HeaderView& field) {
    return http::equals_ignoring_case(field.name, naming_.header());
  });
}

// --- what each came to ---

void Ledger::count(Exchange& x) noexcept {
  const bool was_read = x.released_next() && x.answered_at > 0;
  const Nanos now = was_read ? loop_.now() : loop_.fresh_now();
  if (x.released_next() && x.answered_at == 0) x.answered_at = now;
  const bool at_once = x.answered_at_once() && x.answered_at > 0;
  const Nanos ended = at_once ? x.answered_at : now;
  const Finished request{
      .exchange = x,
      .duration = ended - x.received_at,
      .queued = std::max<Nanos>(x.started_at - x.received_at, 0) + x.waited_before,
      .held_up = x.queued_at > 0 ? std::max<Nanos>(x.started_at - x.queued_at, 0) : 0,
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
  // A socket lasts as long as its client likes.
  if (request.duration >= slow_after_ && !x.switched()) note_slow(request);
  if (access_log_) log_access(request);
}

// In the log only where that is wanted, and not by the hundred.
void Ledger::note_slow(const Finished& request) noexcept {
  if (!slow_ones_.allows(loop_.now(), [](unsigned) {})) return;
  const std::string text = describe_slow(request);
  if (settings_.slow_request > 0) log_.log(Level::Warning, "slow request: " + text);
  if (meter_) meter_->on_slow(text);
}

void Ledger::log_access(const Finished& request) noexcept {
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
  record.bytes_in = x.head_size() + x.body_size();
  record.duration = request.duration;
  record.queued = request.queued;
  record.first_byte = request.first_byte;
  record.account = x.account;
  record.ended = x.received_at + request.duration;
  record.route = x.route();
  record.version = x.carrier.version;
  record.gone = x.gone();
  access_log_->write(record, wall(record.ended));
}

void Ledger::on_turn_end() noexcept {
  if (!access_log_) return;
  access_log_->publish();
  tell_dropped_lines();
}

// At most now and then: a full disk loses many.
void Ledger::tell_dropped_lines() noexcept {
  const std::uint64_t lost = access_log_->take_dropped();
  if (lost == 0) return;
  counters_.log_dropped += lost;
  if (loop_.now() < dropped_told_) return;
  dropped_told_ = loop_.now() + kTellDropped;
  log_.log(Level::Warning, std::to_string(counters_.log_dropped) +
                               " lines of the access log were lost until now");
}

void Ledger::abandon() noexcept {
  if (access_log_) access_log_->abandon();
}

}  // namespace celadon::server
