#include "sim/job.h"

#include <algorithm>
#include <utility>

#include "sim/content.h"

namespace celadon::sim {

using memory::Inside;
using memory::Outside;
using server::Part;
using server::Sent;

// A piece of an answer that the server keeps by reference.
struct Lent {
  SimApp& app;
  std::string bytes;

  static void release(void* object) noexcept {
    const Outside outside;
    auto* lent = static_cast<Lent*>(object);
    lent->app.lent_ -= lent->bytes.size();
    --lent->app.owners_;
    delete lent;
  }
};

void Job::say(const std::string& what) const {
  if (!app_.host_.traces()) return;
  app_.host_.trace("app " + std::to_string(record_.client) + "." +
                   std::to_string(record_.request) + ": " + what);
}

void Job::run(bool within) {
  while (exchange_ && blocked_ == Blocked::No) {
    if (cancelled_ || ending_) return end();
    // What had come on a WebSocket may be taken still.
    if (exchange_->gone() && !is_socket()) return end();
    if (at_ >= record_.plan->ops.size()) return end();
    const Op& op = record_.plan->ops[at_];
    if (within && op.kind() == Act::Hold) return;
    const bool takes_time =
        op.kind() == Act::Wait || op.kind() == Act::Hold || op.kind() == Act::Spend;
    if (is_socket() && !takes_time) {
      step_of_socket(op);
    } else {
      step(op, within);
    }
  }
}

void Job::step(const Op& op, bool) {
  const auto n = static_cast<std::uint64_t>(op.n);
  switch (op.kind()) {
    case Act::Read: return read(n == 0 ? UINT64_MAX : n);
    case Act::Wait: next(); return wait_until(now() + op.n * kMillisecond);
    case Act::Hold:
      say("holds the loop");
      next();
      app_.host_.hold_until(now() + op.n * kMillisecond);
      return wait_until(now() + op.n * kMillisecond);
    case Act::Spend:
      next();
      say("computes");
      return app_.host_.spend(op.n * kMillisecond);
    case Act::Hint: {
      next();
      if (record_.head_sent || record_.refused) return;
      const http::HeaderView field{"Link", "</a.css>"};
      const Inside inside;
      exchange_->send_interim(103, {&field, 1});
      return;
    }
    case Act::Head:
      next();
      if (!record_.head_sent) send_head(n, Part::More);
      return;
    case Act::Whole:
      next();
      if (!record_.head_sent) send_head(n, Part::Last);
      return;
    case Act::Tunnel: next(); return open_tunnel();
    case Act::Send: return send(n);
    case Act::File: return send_file(n);
    case Act::Raise:
    case Act::Abort: return raise();
    case Act::Never: blocked_ = Blocked::Ever; return;
    case Act::Finish:
      next();
      finish();
      return;
    case Act::GiveUp:
      next();
      give_up();
      return;
    case Act::Accept: return accept();
    case Act::Get:
    case Act::Text:
    case Act::Binary:
    case Act::Bye: return next();
  }
}

void Job::wait_until(Nanos at) {
  until_ = at;
  blocked_ = Blocked::Until;
  app_.host_.wake_at(at);
}

// --- the body ---

void Job::read(std::uint64_t most) {
  if (record_.asked_at == kNever) record_.asked_at = now();
  if (record_.reads_since == kNever) record_.reads_since = now();
  if (exchange_->spool() >= 0) return check_spool();
  std::uint64_t left = most - progress_;
  while (left > 0) {
    if (take_body(left)) {
      progress_ = most - left;
      continue;
    }
    if (exchange_->body_state() != server::BodyState::Open) break;
    {
      const Inside inside;
      exchange_->want_body();
    }
    if (exchange_->gone()) return;
    if (exchange_->body().empty() &&
        exchange_->body_state() == server::BodyState::Open) {
      blocked_ = Blocked::Body;
      return;
    }
  }
  on_body_end(left);
}

bool Job::take_body(std::uint64_t& left) {
  const std::string_view there = exchange_->body();
  if (there.empty()) return false;
  const auto n = static_cast<std::size_t>(std::min<std::uint64_t>(left, there.size()));
  const std::uint64_t sent = record_.tunnelled
                                 ? tunnel_content(record_.client, record_.request)
                                 : request_content(record_.client, record_.request);
  if (!is_content(there.data(), n, sent, record_.read)) {
    app_.host_.fault("body", "the application reads other bytes than were sent");
  }
  // One read may bring more than is asked for at a time.
  constexpr std::size_t kOneRead = 64 * 1024;
  // So may what came ahead of a tunnel.
  const std::size_t most = app_.body_buffer_ + (record_.tunnelled ? 2 : 1) * kOneRead;
  if (!exchange_->buffered() && there.size() > most) {
    app_.host_.fault("input", std::to_string(there.size()) +
                                  " bytes of a body wait for the application");
  }
  record_.read += n;
  left -= n;
  const Inside inside;
  exchange_->consume_body(n);
  return true;
}

void Job::check_spool() {
  const std::string_view bytes = app_.kernel_.spooled(exchange_->spool());
  if (!is_content(bytes.data(), bytes.size(),
                  request_content(record_.client, record_.request), 0)) {
    app_.host_.fault("body", "the spool file holds other bytes than were sent");
  }
  record_.read = bytes.size();
  on_body_end(1);
}

void Job::on_body_end(std::uint64_t left) {
  if (record_.tunnelled && record_.finished) {  // the rest was thrown away
    record_.reads_since = kNever;
    return next();
  }
  if (exchange_->body_state() == server::BodyState::Failed && left > 0) {
    record_.body_failed = true;
    const int status = http::rejection_info(exchange_->body_rejection()).status;
    say("reads no further: " + std::to_string(status));
    app_.host_.on_body_failed(record_, status);
    if (record_.head_sent) return raise();
    record_.refused = true;
    record_.status = status;
    record_.closing = record_.alone = true;
    record_.ended_at = now();
    {
      const Inside inside;
      exchange_->refuse(exchange_->body_rejection());
    }
    return end();
  }
  if (left > 0) {
    record_.whole_body = true;
    const auto expected =
        record_.tunnelled
            ? app_.host_.tunnel_bytes(record_)
            : static_cast<std::uint64_t>(std::max<Number>(record_.plan->body, 0));
    if (record_.read != expected) {
      app_.host_.fault("body", "the application has read " +
                                   std::to_string(record_.read) + " bytes of " +
                                   std::to_string(expected));
    }
  }
  record_.reads_since = kNever;
  next();
}

// --- the answer ---

std::uint64_t Job::planned() const noexcept {
  Number total = 0;
  for (const Op& op : record_.plan->ops) {
    const Act act = op.kind();
    if (act == Act::Whole) return static_cast<std::uint64_t>(op.n);
    if (act == Act::Head || act == Act::Send || act == Act::File) total += op.n;
  }
  return static_cast<std::uint64_t>(total);
}

void Job::open_tunnel() {
  if (record_.head_sent || record_.plan->tunnel < 0) return;
  const std::string id =
      std::to_string(record_.client) + "." + std::to_string(record_.request);
  const http::HeaderView field{"X-Id", id};
  http::ResponseHead head;
  head.status = 101;
  head.reason = "Switching Protocols";
  head.headers = {&field, 1};
  Sent sent = Sent::Ok;
  {
    const Inside inside;
    sent = exchange_->open_tunnel(head);
  }
  // Part of its body is missing, or it was said to be the last.
  if (sent == Sent::Gone && !exchange_->gone()) return raise();
  say("opens a tunnel");
  record_.head_sent = record_.tunnelled = true;
  record_.status = 101;
  record_.head_at = now();
  record_.read = 0;
  note(sent);
}

// Some applications break what they have announced.
std::uint64_t Job::announced() const noexcept {
  constexpr std::uint64_t kWrong = 3;
  const std::uint64_t all = planned();
  if (record_.plan->framed == framing::Long) return all + kWrong;
  if (record_.plan->framed == framing::Short) return all - std::min(all, kWrong);
  return all;
}

void Job::send_head(std::uint64_t n, Part part) {
  const std::string id =
      std::to_string(record_.client) + "." + std::to_string(record_.request);
  const http::HeaderView field{"X-Id", id};
  http::ResponseHead head;
  head.status = 200;
  head.reason = "OK";
  head.headers = {&field, 1};
  head.close = record_.plan->says_close != 0;
  const bool whole = part == Part::Last;
  if (whole) {
    head.content_length = n;
  } else if (record_.plan->framed != framing::Open) {
    head.content_length = announced();
  }
  record_.declared = head.content_length.value_or(0);
  const auto& ops = record_.plan->ops;
  net::Leave leave = this->leave();
  if (!whole && n == 0 && at_ < ops.size() && ops[at_].kind() == Act::File &&
      record_.plan->framed == framing::Length) {
    leave = net::Leave::WithNext;
  }
  record_.head_sent = true;
  record_.status = 200;
  record_.head_at = now();
  record_.body_open = exchange_->body_state() != server::BodyState::Complete;
  record_.closing = record_.closing || app_.host_.closes_now(record_);
  auto* lent = new Lent{app_, {}};
  append_content(lent->bytes, content(), 0, n);
  app_.lent_ += n;
  ++app_.owners_;
  record_.given = n;
  say("head and " + std::to_string(n) + " bytes" + (whole ? ", all" : ""));
  if (whole) {
    record_.finished = true;
    record_.ended_at = now();
  }
  Sent sent = Sent::Ok;
  {
    const Inside inside;
    sent = exchange_->send_head(head, lent->bytes, {lent, Lent::release}, part, leave);
  }
  if (whole && sent == Sent::Full) sent = Sent::Ok;  // nothing is to follow
  note(sent);
}

void Job::send(std::uint64_t n) {
  if (!record_.head_sent) return raise();
  next();
  if (record_.finished || n == 0) return;
  auto* lent = new Lent{app_, {}};
  append_content(lent->bytes, content(), record_.given, n);
  app_.lent_ += n;
  ++app_.owners_;
  record_.given += n;
  say("sends " + std::to_string(n));
  Sent sent = Sent::Ok;
  {
    const Inside inside;
    sent = exchange_->send_data(lent->bytes, {lent, Lent::release}, leave());
  }
  note(sent);
}

void Job::send_file(std::uint64_t n) {
  // Nobody else would frame it.
  if (record_.plan->framed == framing::Open) return send(n);
  if (!record_.head_sent) return raise();
  if (record_.finished || !exchange_->body_allowed()) return next();
  if (file_ < 0) file_ = app_.kernel_.open_file(content(), record_.given + n);
  const std::uint64_t start = record_.given;
  auto offset = static_cast<off_t>(start);
  Sent sent = Sent::Ok;
  {
    const Inside inside;
    sent = exchange_->send_file(file_, offset, n - progress_);
  }
  record_.given += static_cast<std::uint64_t>(offset) - start;
  progress_ += static_cast<std::uint64_t>(offset) - start;
  if (progress_ >= n ||
      (sent == Sent::Ok && static_cast<std::uint64_t>(offset) == start)) {
    app_.kernel_.close_file(std::exchange(file_, -1));
    next();
  }
  note(sent);
}

void Job::note(Sent sent) {
  if (sent == Sent::Full) {
    say("is full");
    record_.waits_for_room = true;
    blocked_ = Blocked::Output;
  }
  if (sent == Sent::Gone) {
    record_.gone = true;
    end();
  }
}

// What an exception comes to.
void Job::raise() {
  if (record_.finished) return end();
  say("raises");
  record_.ended_at = now();
  record_.closing = true;
  if (record_.head_sent) {
    record_.aborted = true;
    const Inside inside;
    exchange_->abort();
  } else {
    record_.closing = app_.host_.closes_now(record_);
    record_.body_open = exchange_->body_state() != server::BodyState::Complete;
    record_.refused = true;
    record_.status = cancelled_ ? 504 : 500;
    const Inside inside;
    exchange_->refuse(cancelled_ ? http::Rejection::AppTimedOut
                                 : http::Rejection::AppFailed);
  }
  end();
}

void Job::finish() {
  if (record_.finished || record_.refused || record_.aborted) return;
  if (!record_.head_sent) return raise();
  record_.finished = true;
  record_.ended_at = now();
  say("finishes");
  const Inside inside;
  exchange_->finish();
}

void Job::give_up() {
  if (!record_.tunnelled || record_.finished || record_.aborted) return;
  record_.finished = record_.given_up = true;
  record_.ended_at = now();
  say("gives its client up");
  const Inside inside;
  exchange_->give_up();
}

void Job::end() {
  if (!exchange_ || (is_socket() && !end_socket())) return;
  record_.gone = record_.gone || exchange_->gone();
  const bool ended = record_.finished || record_.refused || record_.aborted;
  if (!ended) {
    if (record_.gone) {
      record_.aborted = true;
      const Inside inside;
      exchange_->abort();
    } else if (cancelled_ || !record_.head_sent) {
      return raise();
    } else {
      finish();
    }
  }
  say(record_.gone ? "releases, the client is gone" : "releases");
  record_.released = true;
  record_.released_at = now();
  app_.host_.on_release(record_);
  exchange_->set_consumer(nullptr);
  server::Exchange* exchange = std::exchange(exchange_, nullptr);
  const Inside inside;
  socket_.reset();
  exchange->release();
}

}  // namespace celadon::sim
