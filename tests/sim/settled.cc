// What must have happened by now, and what must not have: the oracle while time
// passes.
#include <algorithm>
#include <utility>

#include "sim/moments.h"
#include "sim/oracle.h"

namespace celadon::sim {
namespace {

// A turn does not last longer where nobody holds the loop.
constexpr Nanos kSlack = 30 * kMillisecond;
constexpr Nanos kDrainTime = kSecond;  // CN07, CN16
constexpr Nanos kDeliveryPeriod = 10 * kMillisecond;

}  // namespace

// --- admission ---

// Requests of others that waited at some time since then.
std::size_t Oracle::others_waiting(const Conversation& c, Nanos since) const {
  std::size_t n = 0;
  for (const auto& other : conversations_) {
    const Link* link = other->client->link();
    if (other.get() == &c || !link) continue;
    const auto& spans = other->client->script().spans;
    for (std::size_t k = 0; k < spans.size(); ++k) {
      if (arrival(*link, spans[k].head_end) == kNever) break;
      const Record* record = record_of(*other, k);
      if (record ? record->seen_at < since : k < other->judged) continue;
      ++n;
      break;
    }
  }
  return n;
}

// 503 is for who finds all places taken, and has waited long enough or finds
// the queue full too.
bool Oracle::is_overload(const Conversation& c, const Link& link, std::size_t k) const {
  const Rules& rules = scenario_.rules;
  if (rules.max_concurrent == 0) return false;
  const Nanos came = arrival(link, c.client->script().spans[k].head_end);
  if (came == kNever) return false;
  if (scenario_.plan.colleague != 0) return true;
  const bool was_full =
      running_ >= static_cast<std::size_t>(rules.max_concurrent) || full_until_ >= came;
  if (!was_full) return false;
  const Nanos patience = ms(rules.queue_timeout);
  if (patience > 0 && clock_.now() >= came + patience) return true;
  return others_waiting(c, came) >= static_cast<std::size_t>(rules.queue_depth);
}

void Oracle::check_connections(std::size_t open) {
  const auto most = static_cast<std::size_t>(scenario_.rules.worker_connections);
  // Who waited when the drain began is let in all the same.
  if (open <= most || scenario_.plan.colleague != 0 || drained_) return;
  fault("connections", std::to_string(open) + " connections are open, " +
                           std::to_string(most) + " may be");
}

// --- interim answers ---

// Of a body that is here nobody says that it may come; and once is enough
// (CN09).
void Oracle::judge_interims(Conversation& c, const Link& link) {
  const std::size_t k = c.written.answers().size();
  const std::vector<int>& interims = c.written.interims(k);
  if (interims.size() < c.interims) c.interims = 0;
  for (; c.interims < interims.size(); ++c.interims) {
    if (k >= c.client->plan().requests.size()) return;
    const Request& request = c.client->plan().requests[k];
    const Span& span = c.client->script().spans[k];
    if (request.minor == 0)
      return fault("interim", about(c, k) + "HTTP/1.0 knows no interim answer");
    if (interims[c.interims] != 100) continue;
    const bool said =
        std::ranges::count(interims.begin(),
                           interims.begin() + static_cast<std::ptrdiff_t>(c.interims),
                           100) > 0;
    if (said || request.expect == 0)
      return fault("interim", about(c, k) + "100 that nobody waits for");
    if (link.blocked_since == kNever && link.up.taken > span.head_end)
      return fault("interim", about(c, k) + "100, though its body has begun to come");
  }
}

// --- what is read ---

// What was read of a tunnel waits for the application.
void Oracle::check_tunnel(const Conversation& c, const Link& link,
                          const Record& record) {
  constexpr std::uint64_t kOneRead = 64 * 1024;
  if (link.server_shut || record.released || record.finished || record.aborted) return;
  const std::uint64_t end = c.client->script().spans[record.request].end;
  const auto most = static_cast<std::uint64_t>(scenario_.rules.body_buffer);
  if (link.up.taken <= end + record.read + most + 2 * kOneRead) return;
  fault("input", about(c, record.request) +
                     "more of its tunnel is read than anybody "
                     "takes");
}

// Of what follows the request at hand only so much is there.
void Oracle::check_ahead(const Conversation& c, const Link& link, std::size_t k) {
  constexpr std::uint64_t kMost = 3 * 64 * 1024;  // a read may begin below its mark
  if (link.server_shut || scenario_.rules.buffering != 0) return;
  // Behind one that is refused all is read, and thrown away.
  // Behind one that is the last, too, while it waits to be handed over.
  // So is it where its body came too late.
  const std::vector<Request>& requests = c.client->plan().requests;
  const auto& spans = c.client->script().spans;
  if (k + 1 < requests.size() &&
      (may_be_refused(c, link, k + 1) || requests[k + 1].asks_close() ||
       body_is_overdue(link, spans[k + 1], nullptr))) {
    return;
  }
  const std::uint64_t end = c.client->script().spans[k].end;
  if (link.up.taken <= end + kMost || c.written.answers().size() > k + 1 ||
      may_end_after(c, link, k)) {
    return;
  }
  fault("input", about(c, k) + std::to_string(link.up.taken - end) +
                     " bytes behind it were read ahead");
}

void Oracle::on_server_read(const Link& link) {
  Conversation& c = of(link.client);
  if (c.records.empty()) return;
  const Record& last = *c.records.back();
  if (last.socket.accepted) {
    check_socket_input(c, link, last);
  } else if (last.tunnelled) {
    check_tunnel(c, link, last);
  } else {
    check_ahead(c, link, last.request);
  }
  std::uint64_t given = 0;
  for (const Record* record : c.records) {
    if (record->plan->method != methods::Head)
      given += std::min(record->given,
                        record->declared > 0 ? record->declared : record->given);
  }
  const bool full = given > link.down.accepted + static_cast<std::uint64_t>(
                                                     scenario_.rules.response_buffer);
  const bool wants = last.reads_since != kNever && !last.released;
  const std::uint64_t moved = given + link.down.accepted;
  if (!full || wants || may_end_after(c, link, last.request) ||
      std::exchange(c.moved_at_read, moved) != moved) {
    c.reads_while_full = 0;
  } else if (++c.reads_while_full > 1) {
    fault("input", about(c, last.request) +
                       "more is read while its client does not take the answers");
  }
}

// --- eviction ---

Nanos Oracle::idle_since(const Conversation& c, const Link& link) const {
  if (c.records.empty() || link.server_closed || !link.accepted) return kNever;
  const Record& last = *c.records.back();
  const Span& span = c.client->script().spans[last.request];
  const bool idle = last.released && !last.aborted && link.up.delivered == span.end &&
                    link.up.arrived.empty() && !link.up.end_arrived &&
                    link.blocked_since == kNever && !link.server_shut &&
                    c.written.whole() == last.request + 1;
  if (!idle || may_end_after(c, link, last.request)) return kNever;
  return std::max({last.released_at, link.whole_write_at, arrival(link, span.end)});
}

// Also of who has left, as long as his request is with the application.
std::size_t Oracle::places_taken() const {
  return static_cast<std::size_t>(
      std::ranges::count_if(conversations_, [](const auto& each) {
        const Link* link = each->client->link();
        const bool runs = !each->records.empty() && !each->records.back()->released;
        return link && link->accepted && (runs || !link->server_closed);
      }));
}

// The poller has no room for it, and nobody could make some: who is idle and has all.
bool Oracle::is_turned_away(const Link& link) const {
  if (!link.unwatched || draining_ || scenario_.plan.colleague != 0)
    return link.unwatched;
  bool is_needless = false;
  for (const auto& other : conversations_) {
    const Link* idle = other->client->link();
    if (idle && idle->evicted && !idle->server_closed) return true;  // it makes some
    if (!idle || idle_since(*other, *idle) == kNever) continue;
    const bool has_all = idle->down.sending.empty() &&
                         !(idle->unix_socket && !idle->down.arrived.empty());
    if (!has_all) return true;
    is_needless = true;
  }
  return !is_needless;
}

// Nobody goes but for one who needs the place.
void Oracle::on_evicted(const Link& link) {
  judge_order_of_eviction(link);
  const auto most = static_cast<std::size_t>(scenario_.rules.worker_connections);
  if (is_short() || scenario_.plan.colleague != 0) return;
  if (places_taken() >= most) return;
  fault("evicted",
        "client " + std::to_string(link.client) + " is evicted, and there is room");
}

// Who waits the longest goes first (SL04).
void Oracle::judge_order_of_eviction(const Link& evicted) {
  const Conversation& c = of(evicted.client);
  if (c.records.empty() || scenario_.plan.colleague != 0 || holds_) return;
  const Nanos since = c.records.back()->released_at;
  if (since == kNever) return;
  for (const auto& other : conversations_) {
    const Link* link = other->client->link();
    if (!link || link == &evicted) continue;
    const Nanos longer = idle_since(*other, *link);
    if (longer == kNever || longer + kSlack >= since) continue;
    return fault("evicted", about(*other, other->records.back()->request) +
                                "idle for longer than who is evicted");
  }
}

// --- deadlines that have passed ---

void Oracle::late(const Link& link, Nanos due, const char* what) {
  if (clock_.now() <= due + kSlack) return;
  fault("late", "client " + std::to_string(link.client) + ": " + what + " since " +
                    std::to_string((clock_.now() - due) / kMillisecond) + " ms");
}

std::size_t Oracle::served(const Conversation& c) const {
  const std::size_t seen = c.records.empty() ? 0 : c.records.back()->request + 1;
  return std::max(seen, c.written.answers().size());
}

void Oracle::check_settled(const Link& link) {
  if (link.server_closed || all_closed_) return;
  // Who takes connections over begins some waits anew, and a loop that is held
  // is late.
  if (!alone() || of(link.client).taken_over || holds_) return;
  if (!link.accepted) {
    if (drained_ || is_short()) return;
    const auto most = static_cast<std::size_t>(scenario_.rules.worker_connections);
    if (places_taken() < most) late(link, link.connected_at, "it is not let in");
    for (const auto& other : conversations_) {
      // The colleague's are not ours to end.
      if (!other->client->link() || other->taken_over) continue;
      const Nanos since = idle_since(*other, *other->client->link());
      if (since == kNever) continue;
      late(link, std::max(since, link.connected_at) + kDeliveryPeriod,
           "it waits for a place while another one is idle,");
    }
    return;
  }
  if (link.server_shut) return check_linger(link);
  if (link.blocked_since != kNever) return check_write(of(link.client), link);
  check_request(of(link.client), link);
}

bool Oracle::has_all(const Link& link) {
  return link.down.sending.empty() && !(link.unix_socket && !link.down.arrived.empty());
}

void Oracle::check_linger(const Link& link) {
  constexpr std::uint64_t kOneRead = 64 * 1024;
  const Rules& rules = scenario_.rules;
  // Whether something was taken is looked at once in each period.
  const Nanos last_taken = std::max(link.last_delivery, link.shut_at);
  const bool takes = !has_all(link) || link.last_delivery >= link.shut_at;
  const Nanos look = takes ? ms(rules.linger_timeout) + kSlack : 0;
  late(link, std::max(link.last_arrival, last_taken) + look + ms(rules.linger_timeout),
       "it lingers for a silent client");
  if (link.evicted && has_all(link)) {
    late(link, last_taken + kDeliveryPeriod,
         "it has all and keeps a place that another one waits for");
  }
  late(link, link.shut_at + ms(rules.linger_total), "it lingers");
  if (link.up.taken - link.shut_taken >
      static_cast<std::uint64_t>(rules.linger_bytes) + kOneRead) {
    fault("linger-bytes", "client " + std::to_string(link.client) + ": " +
                              std::to_string(link.up.taken - link.shut_taken) +
                              " bytes are read behind the last answer");
  }
}

// A period in which something was taken is followed by one in which nothing was.
void Oracle::check_write(const Conversation& c, const Link& link) {
  if (is_given_up(c, link)) {
    return fault("not-ended", about(c, c.records.back()->request) +
                                  "its client takes nothing, was given up, and is "
                                  "waited for");
  }
  const Nanos moved =
      std::max({link.blocked_since, link.last_write, link.last_delivery});
  late(link, moved + 3 * ms(scenario_.rules.write_timeout), "it takes nothing");
}

// What a tunnel hears of beside its bytes.
void Oracle::check_news(const Conversation& c, const Link& link, const Record& record) {
  if (record.gone) return;
  if (drained_ && !record.told_closing) {
    return fault("not-told",
                 about(c, record.request) + "its tunnel does not hear of the drain");
  }
  const bool waits = record.reads_since != kNever && link.blocked_since == kNever;
  if (waits && link.up.end_arrived && link.up.arrived.empty()) {
    fault("not-told", about(c, record.request) +
                          "who reads its tunnel waits behind the "
                          "end of that");
  }
}

// Nothing but the end of the connection says that its answer is.
bool Oracle::is_whole_by_its_end(const Conversation& c, const Record& record) const {
  if (!record.finished || record.gone) return false;
  if (record.tunnelled) return true;
  const auto& answers = c.written.answers();
  return record.request < answers.size() &&
         answers[record.request].framed == Answer::Framed::Close &&
         (record.plan->body < 0 || record.whole_body);
}

void Oracle::check_request(const Conversation& c, const Link& link) {
  const auto& spans = c.client->script().spans;
  const Record* last = c.records.empty() ? nullptr : c.records.back();
  const std::size_t k = served(c);
  if (last && !last->released) {
    const Span& span = spans[last->request];
    const bool over = last->plan->body < 0 || last->whole_body;
    if (last->waits_for_room) {
      fault("hangs", about(c, last->request) +
                         "all of it has left, and who waits to send is not told");
    }
    if (is_whole_by_its_end(c, *last)) {
      fault("not-ended", about(c, last->request) +
                             "its answer is whole, and its client is not told");
    }
    if (last->tunnelled) {
      check_news(c, link, *last);
      if (last->socket.accepted) check_socket(c, link, *last);
      return;
    }
    if (scenario_.rules.cancels != 0 && last->plan->method == methods::Get && over &&
        !last->gone && !last->front && link.up.end_at > last->seen_at &&
        link.up.arrived.empty() && link.up.delivered == span.end) {
      fault("not-gone", about(c, last->request) + "its client has left");
    }
    if (last->reads_since != kNever) check_body(c, link, span, last->reads_since);
    return;
  }
  if (link.up.end_arrived) return;
  // A reset is due, once its client has all before it.
  if (last && last->aborted) return;
  if (k > 0 && last && last->request + 1 == k && link.up.delivered < spans[k - 1].end) {
    return late(link, std::max(last->released_at, link.whole_write_at) + kDrainTime,
                "the rest of a body is waited for");
  }
  if (k > 0 && may_end_after(c, link, k - 1)) return;
  check_wait(c, link, k);
}

// A wait that began then is one in a server that ends since.
Nanos Oracle::ends_from(Nanos since) const {
  return std::max({since, drained_at_, scenario_.plan.colleague != 0 ? alone_at_ : 0});
}

// From when its client had all. Whether one that lacks something takes it is looked at
// once in each period.
Nanos Oracle::kept_until(const Link& link, Nanos since) const {
  const Nanos keepalive = ms(scenario_.rules.keepalive);
  const Nanos look = has_all(link) ? 0 : keepalive + kSlack;
  return std::max(since, link.last_delivery) + look + keepalive;
}

// For the next request: its begin, its head, or a body that is collected first.
void Oracle::check_wait(const Conversation& c, const Link& link, std::size_t k) {
  const auto& spans = c.client->script().spans;
  const Rules& rules = scenario_.rules;
  const Record* last = c.records.empty() ? nullptr : c.records.back();
  Nanos since = std::max(link.accepted_at, link.whole_write_at);
  if (last) since = std::max(since, last->released_at);
  if (k > 0) since = std::max(since, arrival(link, spans[k - 1].end));
  if (link.up.delivered == 0 && drained_)
    late(link, ends_from(since) + kDrainTime, "it is kept in a drain");
  if (k == 0 && (spans.empty() || link.up.delivered < spans[0].head_end))
    return late(link, since + ms(rules.header_timeout), "a first head is waited for");
  if (k >= spans.size() || link.up.delivered <= spans[k].begin) {
    if (drained_) late(link, ends_from(since) + kDrainTime, "it is kept in a drain");
    return late(link, kept_until(link, since), "a request is waited for");
  }
  const Nanos head = arrival(link, spans[k].head_end);
  if (head == kNever) {
    const Nanos first = std::max(since, arrival(link, spans[k].begin + 1));
    return late(link, first + ms(rules.header_timeout), "a head is waited for");
  }
  const Request& request = c.client->plan().requests[k];
  if (rules.max_concurrent > 0 && rules.queue_timeout > 0 && rules.buffering == 0 &&
      request.bad == bad::None) {
    return late(link, std::max(since, head) + ms(rules.queue_timeout),
                "a place is waited for");
  }
  if (rules.buffering != 0 && rules.max_concurrent == 0 && request.bad == bad::None) {
    check_body(c, link, spans[k], since);
  }
}

// In two periods in a row too little of it came. (Its framing is not body, so
// that more came than counts.)
void Oracle::check_body(const Conversation& c, const Link& link, const Span& span,
                        Nanos begun) {
  if (link.up.delivered >= span.end || link.up.end_arrived) return;
  const Rules& rules = scenario_.rules;
  const Nanos now = clock_.now();
  const Nanos period = ms(rules.body_timeout);
  const Nanos since =
      std::max({begun, arrival(link, span.head_end), link.whole_write_at});
  const auto rate =
      static_cast<std::uint64_t>(rules.body_min_rate * rules.body_timeout / 1000);
  const std::uint64_t came =
      link.up.delivered - bytes_at(link.arrivals, now - 2 * period - kSlack);
  if (now > since + 2 * period + kSlack && came < std::max<std::uint64_t>(rate, 1))
    fault("late", about(c, served(c)) + "its body comes too slowly, for long");
  if (rules.body_total > 0)
    late(link, since + ms(rules.body_total), "all of a body is waited for");
}

}  // namespace celadon::sim
