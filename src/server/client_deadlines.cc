// Deadlines of a connection. Its timer is moved only when it would fire too late, so
// that a busy connection does not touch the wheel per request.
#include <algorithm>
#include <utility>

#include "server/client_connection.h"
#include "server/server.h"

namespace celadon::server {

// A cipher goes to no other process.
Nanos ClientConnection::closing_since() const noexcept {
  const Nanos since = server_.closing_since();
  return stream_.cipher() ? std::min(since, server_.draining_since()) : since;
}

Due ClientConnection::next_due() const noexcept {
  const Situation situation{
      .state = state_,
      .fresh = fresh_,
      .has_input = has_input(),
      .waits_for_body = waits_for_body() && stream_.reading(),
      .resets = resets_,
      .makes_room = why_ == Closed::Evicted,
      .closing_since = state_.stage <= Stage::None ? closing_since() : kNever};
  return due(situation, marks_, settings());
}

bool ClientConnection::is_due() const noexcept {
  return next_due().when <= now();
}

void ClientConnection::rearm() noexcept {
  if (!stream_.open()) return;
  const Nanos when = next_due().when;
  if (when == kNever) return;  // the timer, if armed, finds nothing due and stops
  if (!Timer::armed() || Timer::deadline() > when) server_.loop().arm(*this, when);
}

void ClientConnection::on_timer() noexcept {
  // Nobody is judged by what the loop had no time to look at: what came is read first.
  if (is_due()) {
    while (stream_.reading() && is_due() && read_ahead()) {
    }
    // It has no room for more: that is its reader's fault.
    if (stream_.open() && !wants_input()) stream_.set_reading(false);
    if (stream_.open() && stream_.queued() > 0 && flush() &&
        state_.output == Output::Idle) {
      on_room();
    }
    if (!stream_.open()) return;
    const Due due = next_due();
    const bool is_read =
        !stream_.reading() || (server_.may_read_ahead() && !stream_.told_again());
    if (due.when <= now() && is_read) act(due);
  }
  settle();
}

void ClientConnection::act(Due due) noexcept {
  Counters& counters = server_.ledger().counters();
  switch (due.why) {
    case Why::Nothing: return;
    case Why::Preface: return close(Closed::Slow);
    case Why::Handshake: ++counters.timeouts_handshake; return close(Closed::Slow);
    case Why::FirstHead: ++counters.timeouts_header; return close(Closed::Slow);
    case Why::Idle: return on_idle_due();
    case Why::Closing:
      // Where no request can have been answered nothing can be lost.
      return state_.stage < Stage::None ? close(Closed::Server) : end(Closed::Server);
    case Why::Linger: return on_linger_due();
    case Why::Delivery: return on_delivery_due();
    case Why::Write: return on_write_due(due);
    case Why::More:
    case Why::Head:
    case Why::Body:
    case Why::Rest: return on_due(due.why);
  }
}

// An answer that the kernel has is not over for who still takes it: the time until the
// next request begins when its last byte was taken.
void ClientConnection::on_idle_due() noexcept {
  const std::size_t unsent = stream_.unsent();
  const bool was_seen = marks_.taken > marks_.since && unsent == marks_.sent;
  const Nanos begun = std::max(marks_.since, marks_.taken);
  const Nanos taken =
      unsent > 0 ? now() : now() - stream_.since_acknowledged().value_or(now());
  if (!was_seen && (unsent > 0 || taken > begun + kKernelTick)) {
    marks_.sent = unsent;
    marks_.taken = taken;
    return;
  }
  ++server_.ledger().counters().timeouts_keepalive;
  end(Closed::Idle);
}

// Not at once: a request may be on its way, and a reset that meets it would destroy
// answers that the peer has not read yet.
void ClientConnection::end(Closed why) noexcept {
  if (why_ == Closed::Client) why_ = why;
  set_input(Input::Last);
}

// It sends nothing, and may be reading: should it send when nobody is there any more,
// the reset that it meets would destroy what it does not have yet.
void ClientConnection::on_linger_due() noexcept {
  const std::size_t unsent = stream_.unsent();
  if (unsent == 0 || unsent == marks_.sent || now() >= marks_.until) {
    return set_input(Input::Ended);
  }
  marks_.sent = unsent;
  marks_.since = now();
}

// A reset is asked for anew by itself. One that makes room goes once it has all; until
// then others may have their place to give.
void ClientConnection::on_delivery_due() noexcept {
  if (state_.output != Output::Ended) return;
  marks_.asked = now();
  if (stream_.unsent() == 0) return set_input(Input::Ended);
  if (server_.accept_paused()) server_.evict_one();
}

// In each period the peer takes it all, or enough of it. That the kernel takes nothing
// more does not say otherwise: it wants much of what it holds to be gone first.
void ClientConnection::on_write_due(Due due) noexcept {
  const Settings& s = settings();
  const std::uint64_t delivered = stream_.delivered();
  const auto taken = static_cast<std::int64_t>(delivered - marks_.sent);
  // A loop that was held has not offered the peer all that it would have taken.
  const bool looked_late = now() - due.when > s.write_timeout / 16;
  const std::uint64_t least = least_in(s.write_timeout, s.write_min_rate);
  if (looked_late || std::cmp_greater_equal(taken, least)) {
    marks_.blocked = now();
    marks_.sent = delivered;
    return;
  }
  ++server_.ledger().counters().timeouts_write;
  reset(Closed::Slow);
}

}  // namespace celadon::server
