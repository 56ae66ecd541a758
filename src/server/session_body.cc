// Request bodies: decoding, back-pressure, spooling.
#include <utility>

#include "server/server.h"
#include "server/session.h"
#include "server/spool.h"

namespace celadon::server {
namespace {

constexpr std::uint64_t kDrainBytes = 64 * 1024;  // CN07

}  // namespace

void Session::setup_body(Exchange& x) noexcept {
  x.body_state_ = BodyState::Open;
  x.buffered_ = settings().request_buffering;
  x.continue_pending_ = x.request_.expects_continue;
  body_left_ = x.request_.content_length;
  if (x.request_.body == http::BodyKind::Chunked) {
    chunked_ = std::make_unique<http::h1::ChunkedDecoder>(settings().limits);
  }
  const Nanos total = settings().body_total_timeout;
  body_end_ = total == kNever ? kNever : now() + total;
}

// Takes what belongs to the body from the front of `in`.
void Session::feed_body(std::string_view& in) noexcept {
  Exchange* x = exchange_.get();  // null while draining
  if (x && !in.empty()) x->continue_pending_ = false;
  if (!chunked_) {
    const auto take =
        static_cast<std::size_t>(std::min<std::uint64_t>(body_left_, in.size()));
    const std::string_view data = in.substr(0, take);
    in.remove_prefix(take);
    body_left_ -= take;
    if (x) take_body_bytes(*x, data);
    if (x && x->body_state_ == BodyState::Failed) return;
    if (body_left_ == 0) {
      on_body_complete();
      return;
    }
  } else {
    using Step = http::h1::ChunkedDecoder::Step;
    std::string_view data;
    while (true) {
      const Step step = chunked_->next(in, data);
      if (step == Step::Data) {
        if (x) take_body_bytes(*x, data);
        if (x && x->body_state_ == BodyState::Failed) return;
        continue;
      }
      if (step == Step::Rejected) {
        in = {};
        fail_body(chunked_->rejection());
        return;
      }
      if (step == Step::NeedMore) break;
      on_body_complete();
      return;
    }
  }
  if (x && x->body_state_ == BodyState::Open && x->consumer_ && !x->body().empty()) {
    x->consumer_->on_body();
  }
  if (state_ == State::Draining && discarded_ > kDrainBytes) {
    closing_ = linger_ = true;
    set_state(Event::LastAnswer);
    in = {};
    end_with_linger();
  }
}

void Session::take_body_bytes(Exchange& x, std::string_view data) noexcept {
  x.body_size_ += data.size();
  if (x.finished_) return;
  if (settings().request_buffering && !store_body(x, data)) {
    fail_body(http::Rejection::SpoolFailed);
    return;
  }
  if (!settings().request_buffering) x.body_.append(data);
}

// request_buffering: memory first, disk past body_buffer.
bool Session::store_body(Exchange& x, std::string_view data) noexcept {
  if (x.spool_ < 0 && x.body_.size() + data.size() <= settings().body_buffer) {
    x.body_.append(data);
    return true;
  }
  if (x.spool_ < 0) {
    x.spool_ = open_spool(settings().tmp_upload_dir);
    if (x.spool_ < 0 || !write_spool(x.spool_, x.body_)) return false;
    x.body_ = {};
  }
  return write_spool(x.spool_, data);
}

void Session::on_body_complete() noexcept {
  read_deadline_ = kNever;
  chunked_.reset();
  if (state_ == State::Draining) {
    set_state(Event::Drained);
    return;
  }
  Exchange& x = *exchange_;
  x.body_state_ = BodyState::Complete;
  if (x.consumer_) x.consumer_->on_body();
  if (std::exchange(buffering_, false)) server_.admit(x);
}

// The body did not come in, so the application never hears of the request.
void Session::refuse_buffered() noexcept {
  buffering_ = false;
  Exchange& x = *exchange_;
  refuse(x, x.body_rejection_);
  server_.on_finished(x);
  server_.recycle(std::move(exchange_));
  if (state_ == State::Closed) {
    server_.remove(*this);
    return;
  }
  set_state(Event::LastAnswer);
  end_with_linger();
}

// The body will never be complete: its reader is told, and nothing follows it.
void Session::fail_body(http::Rejection why) noexcept {
  read_deadline_ = kNever;
  closing_ = linger_ = true;
  if (state_ == State::Draining) {
    set_state(Event::LastAnswer);
    end_with_linger();
    return;
  }
  Exchange& x = *exchange_;
  x.body_state_ = BodyState::Failed;
  x.body_rejection_ = why;
  if (x.consumer_) x.consumer_->on_body();
  if (buffering_ && state_ == State::Active) refuse_buffered();
}

void Session::send_continue(Exchange& x) noexcept {
  if (!x.continue_pending_) return;
  x.continue_pending_ = false;
  send_interim(100, {});
}

void Session::want_body(Exchange& x) noexcept {
  if (x.body_state_ != BodyState::Open || !stream_.open()) return;
  send_continue(x);
  if (!stream_.open()) return;
  if (!stream_.reading()) {
    stream_.set_reading(true);
    start_body_clock();
  }
  on_readable();
}

// True where the rest of the body is too long, or too uncertain, to be waited for.
bool Session::body_blocks_reuse(const Exchange& x) const noexcept {
  if (x.body_state_ == BodyState::Complete) return false;
  if (x.body_state_ == BodyState::Failed || x.continue_pending_) return true;
  return chunked_ || body_left_ > kDrainBytes;
}

}  // namespace celadon::server
