#include "sim/oracle.h"

#include <algorithm>
#include <utility>

#include "sim/moments.h"

namespace celadon::sim {
namespace {

// The server looks at the clock once a turn, and turns are bounded.
constexpr Nanos kSlack = 20 * kMillisecond;

int bad_status(const Request& request) {
  switch (request.bad) {
    case bad::Line:
    case bad::Host:
    case bad::Field:
    case bad::Length:
    case bad::Both: return 400;
    case bad::Trace: return 405;
    case bad::Version: return 505;
    default: return 0;
  }
}

bool has_holds(const Scenario& scenario) {
  for (const Client& client : scenario.clients) {
    for (const Request& request : client.requests) {
      for (const Op& op : request.ops) {
        if (op.kind() == Act::Hold || op.kind() == Act::Spend) return true;
      }
    }
  }
  return false;
}

}  // namespace

Oracle::Oracle(const Scenario& scenario, Clock& clock)
    : scenario_(scenario),
      clock_(clock),
      holds_(has_holds(scenario)),
      alone_at_(clock.now() + ms(scenario.plan.alone_at)) {}

void Oracle::add(const SimClient& client) {
  conversations_.push_back(std::make_unique<Conversation>(client));
}

void Oracle::fault(std::string_view kind, const std::string& text) {
  if (!verdict_.bad()) verdict_ = {std::string(kind), text};
}

std::string Oracle::about(const Conversation& c, std::size_t k) const {
  return "client " + std::to_string(c.client->number()) + ", request " +
         std::to_string(k) + ": ";
}

const Record* Oracle::record_of(const Conversation& c, std::size_t k) const {
  for (const Record* record : c.records) {
    if (record->request == k) return record;
  }
  return nullptr;
}

// --- deadlines ---

// What counts is what its client takes, not what the kernel does for it.
bool Oracle::write_is_overdue(const Link& link) const {
  const Nanos period = ms(scenario_.rules.write_timeout);
  const Nanos from = clock_.now() + kSlack - period;
  if (link.blocked_since == kNever || link.blocked_since > from) return false;
  const std::uint64_t had = bytes_at(link.deliveries, clock_.now());
  const std::uint64_t taken = had - bytes_at(link.deliveries, from);
  const auto needed = static_cast<std::uint64_t>(scenario_.rules.write_min_rate *
                                                 scenario_.rules.write_timeout / 1000);
  return taken == 0 || taken < needed;
}

bool Oracle::is_given_up(const Conversation& c, const Link& link) {
  return link.blocked_since != kNever && !c.records.empty() &&
         c.records.back()->given_up;
}

// In some period until now, too little of the body came. What is said of it may have
// waited behind other output, so that it is seen late.
bool Oracle::body_is_overdue(const Link& link, const Span& span,
                             const Record* record) const {
  const Nanos head = arrival(link, span.head_end);
  if (head == kNever) return false;
  Nanos start = head;
  if (record && record->plan->expect != 0 && record->plan->minor == 1) {
    // It begins when the client is told to send, or does so by itself.
    const Nanos first = arrival(link, span.head_end + 1);
    if (record->asked_at == kNever && first == kNever) return false;
    start = std::max(start, std::min(record->asked_at, first));
  }
  const Nanos total = ms(scenario_.rules.body_total);
  const Nanos whole = std::min(arrival(link, span.end), clock_.now());
  if (total > 0 && whole + kSlack >= start + total) return true;
  std::uint64_t delivered = span.head_end;
  for (const Moment& moment : link.arrivals) {
    if (moment.bytes <= span.head_end) continue;
    if (is_slow_until(link, span, start, moment.at, delivered)) return true;
    delivered = moment.bytes;
  }
  return is_slow_until(link, span, start, clock_.now(), delivered);
}

// With `delivered` bytes there at that time.
bool Oracle::is_slow_until(const Link& link, const Span& span, Nanos start, Nanos at,
                           std::uint64_t delivered) const {
  // The framing of chunks is not body, nor is a trailer.
  constexpr std::uint64_t kFramingShare = 8;
  const Nanos period = ms(scenario_.rules.body_timeout);
  if (at + kSlack < start + period || delivered >= span.end) return false;
  const std::uint64_t before =
      std::max(span.head_end, bytes_at(link.arrivals, at + kSlack - period));
  const auto rate = static_cast<std::uint64_t>(scenario_.rules.body_min_rate *
                                               scenario_.rules.body_timeout / 1000);
  const std::uint64_t needed =
      std::max<std::uint64_t>(rate, 1) * (span.chunked ? kFramingShare : 1);
  return std::min(delivered, span.body_end) < before + needed;
}

bool Oracle::lingered_enough(const Link& link) const {
  if (!link.server_shut) return false;
  if (link.up.taken - link.shut_taken >=
      static_cast<std::uint64_t>(scenario_.rules.linger_bytes)) {
    return true;
  }
  const Nanos now = clock_.now();
  if (now >= link.shut_at + ms(scenario_.rules.linger_total)) return true;
  Nanos since = std::max(link.last_arrival, link.shut_at);
  // One that takes what it was sent is there.
  if (link.down.delivered < link.down.accepted) {
    since = std::max(since, link.last_delivery);
  }
  return now >= since + ms(scenario_.rules.linger_timeout);
}

// --- as it happens ---

void Oracle::on_record(Record& record) {
  Conversation& c = of(record.client);
  const auto* link = c.client->link();
  const Span& span = c.client->script().spans[record.request];
  if (record_of(c, record.request)) {
    fault("order", about(c, record.request) + "handed over twice");
  }
  if (!c.records.empty() && c.records.back()->request + 1 != record.request) {
    fault("order", about(c, record.request) + "handed over out of turn");
  }
  if (bad_status(*record.plan) != 0) {
    fault("accepted-bad", about(c, record.request) + "a bad request is handed over");
  }
  if (!link || link->up.taken < span.head_end) {
    fault("order", about(c, record.request) + "handed over before it came");
  }
  c.records.push_back(&record);
  if (record.front) return;
  const auto most = static_cast<std::size_t>(scenario_.rules.max_concurrent);
  ++running_;
  // The colleague counts its own.
  if (most > 0 && running_ > most && scenario_.plan.colleague == 0) {
    fault("too-many", about(c, record.request) + "is handed over while " +
                          std::to_string(most) + " run");
  }
}

void Oracle::on_release(const Record& record) {
  if (record.front) return;
  const auto most = static_cast<std::size_t>(scenario_.rules.max_concurrent);
  if (most > 0 && running_ >= most) full_until_ = clock_.now();
  --running_;
}

bool Oracle::alone() const noexcept {
  const Plan& plan = scenario_.plan;
  return plan.colleague == 0 || (plan.alone_at >= 0 && clock_.now() >= alone_at_);
}

void Oracle::on_drained() {
  drained_ = true;
  drained_at_ = clock_.now();
}

void Oracle::on_gone(const Record& record) {
  const Conversation& c = of(record.client);
  const Link& link = *c.client->link();
  if (link.broken || link.send_failed || all_closed_) return;
  if (write_is_overdue(link) || is_given_up(c, link)) return;
  if (is_cancelled(record, link) || may_be_silent(c, link)) return;
  if (link.unix_socket && link.client_closed) {
    const Span& span = c.client->script().spans[record.request];
    const bool came = link.up.delivered >= span.end && span.end > span.head_end;
    if (!came || record.whole_body || record.head_sent) return;
    return fault("body-lost", about(c, record.request) +
                                  "its body had come, and the application is told "
                                  "that the client is gone");
  }
  fault("gone", about(c, record.request) +
                    "the application hears that a client has left which has not");
}

std::uint64_t Oracle::tunnel_bytes(const Record& record) const {
  const Conversation& c = *conversations_[record.client];
  return c.client->link()->up.delivered - c.client->script().spans[record.request].end;
}

// The end of file counts as the client's leaving, but for that of a tunnel.
bool Oracle::is_cancelled(const Record& record, const Link& link) const {
  if (record.tunnelled && link.up.end_at > record.head_at) return false;
  return scenario_.rules.cancels != 0 && record.plan->method == methods::Get &&
         !record.front && !record.released && link.up.end_arrived;
}

void Oracle::on_body_failed(const Record& record, int status) {
  const Conversation& c = of(record.client);
  const Link& link = *c.client->link();
  const Span& span = c.client->script().spans[record.request];
  if (link.broken || link.send_failed || all_closed_) return;
  if (status == 400) {
    if (record.plan->bad == bad::Chunk) return;
    if (link.up.end_arrived && link.up.delivered < span.end) return;
    return fault("body-lost", about(c, record.request) +
                                  "its body is said to be incomplete and is not");
  }
  if (status == 408) {
    if (body_is_overdue(link, span, &record)) return;
    return fault("body-deadline",
                 about(c, record.request) + "its body is said to be slow and is not");
  }
  fault("body-lost",
        about(c, record.request) + "its body failed with " + std::to_string(status));
}

void Oracle::on_server_wrote(const Link& link, std::string_view bytes) {
  Conversation& c = of(link.client);
  c.written.take(bytes);
  judge_interims(c, link);
  for (; c.judged < c.written.answers().size(); ++c.judged) {
    if (!record_of(c, c.judged)) judge_page(c, link, c.judged);
  }
  judge_frames(c, link);
}

void Oracle::on_accepted(const Link& link) {
  if (!drained_) return;
  fault("accepts", "client " + std::to_string(link.client) +
                       " is accepted while the server drains");
}

// Output that the application gave and the kernel has not: at most a full buffer and
// the piece that filled it.
void Oracle::check_output(const Link& link) {
  const Conversation& c = of(link.client);
  if (link.server_closed) return;
  std::uint64_t given = 0;
  std::uint64_t piece = 0;
  for (const Record* record : c.records) {
    if (record->plan->method == methods::Head) continue;
    // What is compressed may be less.
    if (record->socket.accepted && c.written.frames() &&
        c.written.frames()->is_deflated()) {
      continue;
    }
    given += record->given;
    for (const Op& op : record->plan->ops) {
      // A file that has to be framed is sent as any piece is.
      if (op.kind() == Act::Text || op.kind() == Act::Binary) {
        piece = std::max(piece, static_cast<std::uint64_t>(op.n));
      }
      if (op.kind() == Act::Head || op.kind() == Act::Send || op.kind() == Act::Whole ||
          (op.kind() == Act::File && record->plan->framed == framing::Open)) {
        piece = std::max(piece, static_cast<std::uint64_t>(op.n));
      }
    }
  }
  const auto most =
      static_cast<std::uint64_t>(scenario_.rules.response_buffer) + piece + 4096;
  if (given <= link.down.accepted + most) return;
  fault("output", about(c, c.records.back()->request) + "more than " +
                      std::to_string(given - link.down.accepted) +
                      " bytes of answers wait for a client that does not read");
}

// --- answers ---

// A page of the server's own, to a request that the application never saw.
void Oracle::judge_page(const Conversation& c, const Link& link, std::size_t k) {
  const Answer& answer = c.written.answers()[k];
  const Request& request = c.client->plan().requests[k];
  const Span& span = c.client->script().spans[k];
  const Rules& rules = scenario_.rules;
  if (answer.status == bad_status(request)) return;
  switch (answer.status) {
    case 408: return judge_slow(c, link, k);
    case 503:
      if (is_overload(c, link, k)) return;
      break;
    case 500:
      if (rules.buffering != 0 && scenario_.moods.disk_full != 0 &&
          request.body > rules.body_buffer) {
        return;
      }
      break;
    case 400:
      if (request.bad == bad::Chunk && rules.buffering != 0) return;
      if (link.up.end_arrived && link.up.delivered < span.end) return;
      break;
    default: break;
  }
  fault("wrong-page", about(c, k) + "refused with " + std::to_string(answer.status) +
                          " without a reason");
}

bool Oracle::may_be_refused(const Conversation& c, const Link& link,
                            std::size_t k) const {
  if (bad_status(c.client->plan().requests[k]) != 0) return true;
  if (link.up.end_arrived || is_overload(c, link, k)) return true;
  const Nanos start = arrival(link, c.client->script().spans[k].begin + 1);
  return start != kNever &&
         clock_.now() + kSlack >= start + ms(scenario_.rules.header_timeout);
}

void Oracle::judge_slow(const Conversation& c, const Link& link, std::size_t k) {
  const Span& span = c.client->script().spans[k];
  const Nanos head = arrival(link, span.head_end);
  const Nanos start = k == 0 ? link.accepted_at : arrival(link, span.begin + 1);
  if (head == kNever || start == kNever) return;
  if (head + kSlack >= start + ms(scenario_.rules.header_timeout)) return;
  if (scenario_.rules.buffering != 0 && body_is_overdue(link, span, nullptr)) return;
  fault("head-deadline", about(c, k) + "408, though it had come in time");
}

void Oracle::judge_answer(const Conversation& c, std::size_t k) {
  const Answer& answer = c.written.answers()[k];
  const Request& request = c.client->plan().requests[k];
  const Record* record = record_of(c, k);
  if (!record) return;  // judged when it was written
  const std::string id =
      std::to_string(record->client) + "." + std::to_string(record->request);
  if (record->refused) {
    if (answer.status != record->status) {
      fault("wrong-answer", about(c, k) + "status " + std::to_string(answer.status) +
                                " instead of " + std::to_string(record->status));
    } else if (answer.status == 426 && answer.version != "13") {
      fault("handshake", about(c, k) + "is not told which version is understood");
    }
    return;
  }
  if (record->tunnelled) {
    if (record->socket.accepted) judge_handshake(c, k);
    if (answer.status == 101 && answer.id == id) return;  // its bytes: at its end
  } else if (answer.status == 101) {
    return fault("wrong-answer", about(c, k) + "a tunnel that nobody opened");
  }
  if (answer.status != 200 || answer.id != id) {
    return fault("wrong-answer", about(c, k) + "the answer " +
                                     std::to_string(answer.status) + " of '" +
                                     answer.id + "'");
  }
  using Framed = Answer::Framed;
  bool open = record->plan->framed == framing::Open;
  for (const Op& op : record->plan->ops) {
    if (op.kind() == Act::Whole) open = false;
    if (op.kind() == Act::Head) break;
  }
  const Framed framed = request.method == methods::Head ? Framed::None
                        : !open                         ? Framed::Length
                        : request.minor == 1            ? Framed::Chunked
                                                        : Framed::Close;
  if (answer.framed != framed ||
      (framed == Framed::Length && answer.length != record->declared)) {
    return fault("wrong-answer", about(c, k) + "framed otherwise than it should be");
  }
  std::uint64_t given = record->given;
  if (framed == Framed::Length) given = std::min(given, record->declared);
  if (answer.done && framed != Framed::None && answer.body != given) {
    return fault("wrong-answer", about(c, k) + "a body of " +
                                     std::to_string(answer.body) + " bytes, given " +
                                     std::to_string(record->given));
  }
  if (answer.done && record->aborted && framed != Framed::None &&
      framed != Framed::Length) {
    return fault("wrong-answer", about(c, k) + "broken off, and looks complete");
  }
  const bool must_say = request.close != 0 || record->too_much ||
                        (record->closing && !record->aborted && record->alone);
  if (must_say && !answer.says_close && request.minor == 1) {
    fault("no-close", about(c, k) + "does not say that the connection closes");
  }
  if (request.minor == 0 && record_of(c, k + 1) && !answer.says_keep_alive) {
    fault("no-keep-alive", about(c, k) + "does not say that the connection stays");
  }
}

void Oracle::judge_answers(Conversation& c, const Link& link) {
  if (!c.written.error().empty()) {
    return fault("bytes",
                 "client " + std::to_string(link.client) + ": " + c.written.error());
  }
  for (std::size_t k = 0; k < c.written.answers().size(); ++k) judge_answer(c, k);
}

bool Oracle::is_alone(const Record& record) const {
  const Conversation& c = *conversations_[record.client];
  const Span& span = c.client->script().spans[record.request];
  return c.client->link() && c.client->link()->up.delivered <= span.end;
}

bool Oracle::leaves_too_much(const Record& record) const {
  constexpr std::uint64_t kMost = 64 * 1024;
  if (scenario_.rules.buffering != 0 || record.plan->body <= 0) return false;
  const Conversation& c = *conversations_[record.client];
  const Span& span = c.client->script().spans[record.request];
  const Link& link = *c.client->link();
  if (link.up.taken + kMost < span.end && !span.chunked) return true;
  return record.plan->expect != 0 && record.plan->minor == 1 &&
         record.asked_at == kNever && link.up.taken <= span.head_end;
}

// --- ends ---

// CN07: what is unread of a body is too much, too late, or nobody knows.
bool Oracle::leaves_body(const Link& link, const Span& span,
                         const Record& record) const {
  constexpr std::uint64_t kMost = 64 * 1024;
  if (scenario_.rules.buffering != 0) return false;
  const bool uncertain =
      span.chunked || record.plan->expect != 0 || span.end - span.head_end > kMost;
  // What was true when the head left was said in it.
  if (uncertain && record.body_open) return true;
  if (record.whole_body) return false;
  if (uncertain) return true;
  const Nanos came = arrival(link, span.end);
  return came == kNever || record.released_at == kNever ||
         came + kSlack > record.released_at + kSecond;
}

// The answer to request k may be the last.
bool Oracle::may_end_after(const Conversation& c, const Link& link,
                           std::size_t k) const {
  const Request& request = c.client->plan().requests[k];
  const Record* record = record_of(c, k);
  if (request.asks_close()) return true;
  if (!record) return true;  // a page of ours
  const bool goes_on =
      record->status == 500 || record->status == 504 || record->is_handshake;
  if (record->refused && !goes_on) return true;
  if (record->aborted || record->plan->says_close != 0) return true;
  if (record->tunnelled) return true;
  if (record->plan->framed == framing::Long && !record->refused) return true;
  if (record->closing || record->body_failed) return true;
  const Span& span = c.client->script().spans[k];
  // It came too slowly, whether the application has noticed that or not.
  if (request.body >= 0 && body_is_overdue(link, span, record)) return true;
  if (request.body >= 0 && leaves_body(link, span, *record)) return true;
  if (k < c.written.answers().size() &&
      c.written.answers()[k].framed == Answer::Framed::Close) {
    return true;
  }
  // The same of one that waits behind another for a client that is slow.
  if (k >= c.written.answers().size() && request.minor == 0 &&
      record->plan->framed == framing::Open) {
    return true;
  }
  const Ending ending = ending_of(link);
  return ending.behind_end && ending.delivered <= span.end;
}

// What the server could know when it decided that the connection ends.
Oracle::Ending Oracle::ending_of(const Link& link) const {
  if (link.server_shut) {
    return {link.shut_at, link.shut_delivered, link.shut_behind_end, link.shut_taking};
  }
  return {clock_.now(), link.up.delivered, link.up.end_arrived, link.last_delivery};
}

void Oracle::judge_idle_end(Conversation& c, const Link& link, std::size_t served) {
  const auto& spans = c.client->script().spans;
  const Ending ending = ending_of(link);
  if (ending.behind_end || (drained_ && !c.taken_over)) return;
  if (link.evicted) {
    if (served < spans.size() && ending.delivered > spans[served].begin) {
      fault("evicted", about(c, served) + "evicted when it had begun");
    }
    return;
  }
  Nanos due = link.accepted_at + ms(scenario_.rules.header_timeout);
  if (served > 0) {
    const Record* last = c.records.empty() ? nullptr : c.records.back();
    // A unix socket does not tell when its client took the last answer.
    const Nanos taking = link.unix_socket ? 0 : ending.taking;
    due = last && last->released_at != kNever
              ? std::max(last->released_at, taking) + ms(scenario_.rules.keepalive)
              : kNever;
    if (served < spans.size() && ending.delivered > spans[served].begin) {
      due = arrival(link, spans[served].begin + 1) + ms(scenario_.rules.header_timeout);
    }
  }
  if (ending.at + kSlack >= due) return;
  fault("early", about(c, served) + "the connection is closed " +
                     std::to_string((due - ending.at) / kMillisecond) +
                     " ms before its time");
}

void Oracle::judge_end(Conversation& c, const Link& link) {
  const auto& spans = c.client->script().spans;
  const std::size_t written = c.written.answers().size();
  const std::size_t last_seen = c.records.empty() ? 0 : c.records.back()->request + 1;
  const std::size_t served = std::max(written, last_seen);
  for (const Record* record : c.records) {
    const std::size_t k = record->request;
    const bool owed =
        (record->finished || record->refused) && !record->gone && !record->aborted;
    if (!owed || (link.unix_socket && link.client_closed)) continue;
    const char* kind = link.up.end_arrived ? "cut-at-end" : "cut";
    const bool whole =
        k < written && (c.written.answers()[k].done ||
                        c.written.answers()[k].framed == Answer::Framed::Close);
    const bool short_of = record->plan->framed == framing::Long;
    if (!whole && !(short_of && k < written)) {
      return fault(kind, about(c, k) +
                             "the connection ends before all of its answer "
                             "was written");
    }
    if (k < written && c.written.answers()[k].framed == Answer::Framed::Close &&
        !record->socket.accepted && c.written.answers()[k].body != record->given) {
      return fault(kind, about(c, k) + "ends after " +
                             std::to_string(c.written.answers()[k].body) + " of " +
                             std::to_string(record->given) + " bytes");
    }
  }
  if (served > 0 && may_end_after(c, link, served - 1)) return;
  if (served < spans.size() && ending_of(link).delivered >= spans[served].end) {
    // Nobody would get the answer, and the application need not begin with it.
    const bool left = link.unix_socket && link.client_closed;
    if (left && (served > 0 || scenario_.rules.max_concurrent > 0)) return;
    return fault(link.up.end_arrived ? "dropped-at-end"
                 : served == 0       ? "unserved"
                                     : "dropped",
                 about(c, served) + "had come whole and was dropped");
  }
  judge_idle_end(c, link, served);
}

void Oracle::on_server_close(const Link& link) {
  Conversation& c = of(link.client);
  c.closed_at = clock_.now();
  judge_answers(c, link);
  if (!link.unix_socket && !link.no_delay) {
    fault("no-delay", "client " + std::to_string(link.client) +
                          ": its connection waits for ACKs (TCP_NODELAY)");
  }
  // A reset waits for its delivery, as long as the client takes some of it.
  const bool takes_nothing =
      link.linger_zero &&
      clock_.now() >= link.last_delivery + ms(scenario_.rules.write_timeout);
  const bool late_write = write_is_overdue(link) || takes_nothing;
  // What was queued for who has left goes with it.
  const bool cancelled = !c.records.empty() && is_cancelled(*c.records.back(), link);
  const bool silent = link.linger_zero && may_be_silent(c, link);
  c.excused = cancelled || link.broken || link.send_failed || all_closed_ || silent ||
              late_write || is_given_up(c, link) || is_turned_away(link);
  if (c.excused) return;
  judge_socket_end(c, link);
  if (link.linger_zero) {
    const Record* last = c.records.empty() ? nullptr : c.records.back();
    const bool closes = last && last->aborted && !c.written.answers().empty() &&
                        c.written.answers().back().framed == Answer::Framed::Close;
    if (!closes) {
      return fault(last && last->aborted ? "reset-broken" : "reset",
                   "client " + std::to_string(link.client) +
                       ": its connection is reset without need");
    }
  }
  judge_end(c, link);
  const std::size_t served = c.written.answers().size();
  const bool was_idle =
      !link.server_shut && !(served > 0 && may_end_after(c, link, served - 1));
  // Nobody's answer may be at the mercy of what he sends next.
  const bool has_all = link.down.delivered == link.down.accepted;
  c.excused = lingered_enough(link) || (has_all && (was_idle || link.evicted));
}

void Oracle::judge_client(const SimClient& client) {
  Conversation& c = of(client.number());
  if (!client.link()) return;
  const Link& link = *client.link();
  if (!link.accepted && !drained_ && !all_closed_) {
    return fault("unserved",
                 "client " + std::to_string(client.number()) +
                     " was never accepted, though there was room in the end");
  }
  judge_answers(c, link);
  if (client.left() || client.stopped() || c.excused || all_closed_) return;
  AnswerReader got = client.reader();
  const Record* last = c.records.empty() ? nullptr : c.records.back();
  const bool broken_off = last && last->aborted;
  if (broken_off) got.take(link.lost);
  if (got.whole() < c.written.whole() ||
      (!broken_off && got.bytes() < link.down.accepted)) {
    static constexpr const char* kCauses[] = {
        "", " by our reset", " by a reset, since bytes were unread at the close",
        " by a reset, since bytes came after the close"};
    static constexpr const char* kKinds[] = {"lost", "destroyed-by-reset",
                                             "destroyed-unread", "destroyed-late"};
    fault(link.server_shut ? "linger" : kKinds[static_cast<int>(link.cause)],
          about(c, got.whole()) + "of its answers, " + std::to_string(got.bytes()) +
              " of " + std::to_string(link.down.accepted) +
              " bytes came; the rest was destroyed" +
              kCauses[static_cast<int>(link.cause)]);
  }
}

}  // namespace celadon::sim
