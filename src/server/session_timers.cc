// Deadlines of a session. One timer serves them all and is moved only when it would
// fire too late, so that a busy connection does not touch the wheel per request.
#include <algorithm>

#include "server/server.h"
#include "server/session.h"

namespace celadon::server {

void Session::set_read_deadline(Nanos at) noexcept {
  read_deadline_ = at;
  rearm();
}

void Session::rearm() noexcept {
  const Nanos due = std::min(read_deadline_, write_deadline_);
  if (due == kNever) return;  // the timer, if armed, finds nothing due and stops
  if (!Timer::armed() || Timer::deadline() > due) server_.loop_.arm(*this, due);
}

void Session::on_timer() noexcept {
  const Nanos at = now();
  if (write_deadline_ <= at) on_write_deadline(at);
  if (state_ != State::Closed && read_deadline_ <= at) on_read_deadline(at);
  if (state_ != State::Closed) rearm();
}

// Output waits: in each period the peer takes it all, or enough of it.
void Session::watch_output() noexcept {
  if (write_deadline_ != kNever || settings().write_timeout == kNever) return;
  sent_mark_ = stream_.sent();
  write_deadline_ = now() + settings().write_timeout;
  rearm();
}

void Session::on_write_deadline(Nanos at) noexcept {
  const Settings& s = settings();
  const auto needed = s.write_min_rate *
                      static_cast<std::uint64_t>(s.write_timeout / kMillisecond) / 1000;
  const std::uint64_t taken = stream_.sent() - sent_mark_;
  if (taken > 0 && taken >= needed) {
    sent_mark_ = stream_.sent();
    write_deadline_ = at + s.write_timeout;
    return;
  }
  ++server_.counters_.timeouts_write;
  write_deadline_ = kNever;
  why_ = Closed::Slow;
  stream_.reset();
  if (state_ == State::Active && !exchange_->finished_) {
    mark_gone();
  } else if (state_ != State::Active) {
    close();
  }
}

void Session::on_read_deadline(Nanos at) noexcept {
  read_deadline_ = kNever;
  switch (state_) {
    case State::Idle:
      ++(fresh_ ? server_.counters_.timeouts_header
                : server_.counters_.timeouts_keepalive);
      close(fresh_ ? Closed::Slow : Closed::Idle);
      return;
    case State::Head:
      ++server_.counters_.timeouts_header;
      reject(http::Rejection::SlowHead);
      return;
    case State::Active: on_body_deadline(at); return;
    case State::Draining:
      closing_ = linger_ = true;
      set_state(Event::LastAnswer);
      end_with_linger();
      return;
    case State::Proxied:
    case State::Lingering: close(Closed::Slow); return;
    case State::Flushing:
    case State::Closed: return;
  }
}

void Session::start_body_clock() noexcept {
  const Nanos period = settings().body_timeout;
  period_mark_ = exchange_->body_size_;
  set_read_deadline(std::min(body_end_, period == kNever ? kNever : now() + period));
}

void Session::on_body_deadline(Nanos at) noexcept {
  const Exchange& x = *exchange_;
  if (x.body_state_ != BodyState::Open || !stream_.reading()) return;
  const Settings& s = settings();
  const auto needed = std::max<std::uint64_t>(
      1, s.body_min_rate * static_cast<std::uint64_t>(s.body_timeout / kMillisecond) /
             1000);
  if (at < body_end_ && x.body_size_ - period_mark_ >= needed) {
    start_body_clock();
    return;
  }
  ++server_.counters_.timeouts_body;
  fail_body(http::Rejection::SlowBody);
}

}  // namespace celadon::server
