// Request bodies: decoding, back-pressure, what is left of them after the answer.
#include <algorithm>

#include "server/h1_session.h"
#include "server/server.h"

namespace celadon::server {
namespace {

constexpr std::uint64_t kDrainBytes = 64 * 1024;  // CN07

}  // namespace

void H1Session::open_body(Exchange& x) noexcept {
  x.open_body(settings().request_buffering ? &server_.ledger().spooling() : nullptr);
  expecting_ = x.request().expects_continue && !x.carrier.is_http10()
                   ? Expecting::Continue
                   : Expecting::Nothing;
  body_left_ = x.request().content_length;
  if (x.request().body == http::BodyKind::Chunked) {
    chunked_ = std::make_unique<http::h1::ChunkedDecoder>(settings().limits);
  }
  start_body_clock();
}

void H1Session::start_body_clock() noexcept {
  mark_input();
  const Nanos total = settings().body_total_timeout;
  marks().until = total == kNever ? kNever : now() + total;
  rearm();  // an application may ask at any time
}

// Takes what belongs to the body from the front of `in`.
void H1Session::feed(std::string_view& in) noexcept {
  decode(in);
  // A disk may take its time.
  if (exchange_ && exchange_->spool() >= 0) server_.loop().fresh_now();
}

void H1Session::decode(std::string_view& in) noexcept {
  if (exchange_ ? exchange_->body_state() != BodyState::Open
                : state().stage != Stage::Answered) {
    return;
  }
  if (!in.empty() && expecting_ == Expecting::Continue) {
    expecting_ = Expecting::Nothing;
    start_body_clock();  // it sends without being told
  }
  if (expecting_ == Expecting::Tunnel) {
    take(std::exchange(in, {}));
    return;
  }
  if (chunked_) return feed_chunks(in);
  const auto size =
      static_cast<std::size_t>(std::min<std::uint64_t>(body_left_, in.size()));
  const std::string_view data = in.substr(0, size);
  in.remove_prefix(size);
  body_left_ -= size;
  if (take(data) && body_left_ == 0) body_is_over();
}

void H1Session::feed_chunks(std::string_view& in) noexcept {
  using Step = http::h1::ChunkedDecoder::Step;
  std::string_view data;
  while (true) {
    switch (chunked_->next(in, data)) {
      case Step::Data:
        if (take(data)) continue;
        in = {};
        return;
      case Step::NeedMore: return;
      case Step::Done: return body_is_over();
      case Step::Rejected:
        in = {};  // nobody may look at what follows
        return body_failed(chunked_->rejection());
    }
  }
}

// False: what was to be stored was not, so the rest is of no use.
bool H1Session::take(std::string_view data) noexcept {
  if (!exchange_) {  // the rest of a body that nobody reads
    discarded_ += data.size();
    return true;
  }
  exchange_->take_body(data);
  return is_stored();
}

// False: a body that was to be stored was not.
bool H1Session::is_stored() noexcept {
  if (exchange_->body_state() != BodyState::Failed) return true;
  body_failed(exchange_->body_rejection());
  return false;
}

void H1Session::body_is_over() noexcept {
  chunked_.reset();
  marks().until = kNever;
  if (state().stage == Stage::Answered) {
    set_stage(Stage::None);
    mark_input();
    return;
  }
  exchange_->end_body();
  [[maybe_unused]] const bool stored = is_stored();
}

// The body will never be complete: its reader is told, and nothing follows it.
void H1Session::body_failed(http::Rejection why) noexcept {
  chunked_.reset();
  marks().until = kNever;
  take_no_more();
  if (state().stage == Stage::Answered) return set_stage(Stage::None);
  exchange_->fail_body(why);
}

// The answer is complete, the body is not: a little more of it is waited for.
void H1Session::skip_rest(std::string_view bytes) noexcept {
  keep(bytes);
  std::string_view rest = stored();
  const std::size_t before = rest.size();
  feed(rest);
  if (state().input != Input::Open) return;
  drop(before - rest.size());
  if (state().stage == Stage::Answered && discarded_ > kDrainBytes) {
    chunked_.reset();
    take_no_more();
    set_stage(Stage::None);
  }
}

// The client is told to send, where it waits for that. Its clock starts here.
void H1Session::expect_body() noexcept {
  if (expecting_ != Expecting::Continue) return;
  expecting_ = Expecting::Nothing;
  // A final answer says it as well.
  if (!exchange_->head_sent()) write_interim(*exchange_, 100, {});
  if (!open()) return;
  start_body_clock();
}

bool H1Session::waits_for_body() const noexcept {
  if (state().stage == Stage::Answered) return true;
  return exchange_ && exchange_->body_state() == BodyState::Open &&
         expecting_ == Expecting::Nothing;
}

void H1Session::want_body(Exchange& x) noexcept {
  if (x.body_state() != BodyState::Open || !open()) return;
  if (state().stage == Stage::Whole) return;  // what comes is thrown away
  const loop::Custody::Inside inside(server_.loop().custody());
  expect_body();
  credit(x, 0);
  if (open() && x.body().empty()) read_ahead();
}

// There may be room again: the wait for the client begins anew then.
void H1Session::credit(Exchange& x, std::size_t) noexcept {
  if (x.body_state() != BodyState::Open || !open()) return;
  const loop::Custody::Inside inside(server_.loop().custody());
  resume_reading();
}

// True where the rest of the body is too long, or too uncertain, to be waited for.
bool H1Session::body_blocks_reuse(const Exchange& x) const noexcept {
  if (x.body_state() == BodyState::Complete) return false;
  if (x.body_state() == BodyState::Failed || expecting_ != Expecting::Nothing)
    return true;
  return chunked_ || body_left_ > kDrainBytes;
}

}  // namespace celadon::server
