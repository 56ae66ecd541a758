#include "server/exchange.h"

#include <algorithm>

#include "base/assert.h"
#include "base/memory.h"

namespace celadon::server {
namespace {

void release_owner(Owner owner) noexcept {
  if (owner.release) owner.release(owner.object);
}

}  // namespace

void Exchange::begin(Channel& channel, Connection& connection,
                     Carrier own_carrier) noexcept {
  static_cast<ExchangeState&>(*this) = {};
  channel_ = &channel;
  connection_ = &connection;
  carrier = own_carrier;
  store_.clear();
  route_.clear();
  logged_headers_.clear();
  logged_environ_.clear();
  identity_.clear();
}

void Exchange::trim() noexcept {
  constexpr std::size_t kKept = 4096;
  constexpr std::size_t kFieldsKept = 64;
  if (head_.capacity() > kKept) give_back(head_);
  if (request_.fields.capacity() > kFieldsKept) give_back(request_.fields);
  if (route_.capacity() > kKept) give_back(route_);
  give_back(logged_headers_);
  give_back(logged_environ_);
  store_.clear();
}

void Exchange::take_head(std::string_view bytes, http::Request& parsed) noexcept {
  head_.assign(bytes);
  static_cast<http::RequestLine&>(request_) = parsed;
  request_.fields.swap(parsed.fields);
  request_.base = head_.data();
}

// --- the body ---

void Exchange::open_body(const Spooling* spooling) noexcept {
  body_state_ = BodyState::Open;
  spooling_ = spooling;
}

void Exchange::take_body(std::string_view data) noexcept {
  if (body_state_ != BodyState::Open) return;
  body_size_ += data.size();
  if (data.empty()) return;
  if (ended() && !consumer_) return;  // nobody reads any more
  if (!spooling_) {
    store_.append(data);
    if (consumer_) consumer_->on_body();
  } else if (!store_.append(data, *spooling_)) {
    fail_body(http::Rejection::SpoolFailed);
  }
}

void Exchange::end_body() noexcept {
  if (body_state_ != BodyState::Open) return;
  if (spooling_ && !store_.finish()) return fail_body(http::Rejection::SpoolFailed);
  body_state_ = BodyState::Complete;
  if (consumer_) consumer_->on_body();
}

void Exchange::fail_body(http::Rejection why) noexcept {
  if (body_state_ != BodyState::Open) return;
  body_state_ = BodyState::Failed;
  body_rejection_ = why;
  if (consumer_) consumer_->on_body();
}

void Exchange::go() noexcept {
  if (gone_) return;
  gone_ = true;
  fail_body(http::Rejection::IncompleteBody);
  if (consumer_) consumer_->on_gone();
}

// --- the answer ---

// Cuts what exceeds the declared length (RS04).
std::string_view Exchange::clip(std::string_view data) noexcept {
  if (!body_allowed_) return {};
  if (!remaining_) return data;
  if (data.size() > *remaining_) {
    channel_->complain(*this, Misfit::TooMuch);
    data = data.substr(0, *remaining_);
  }
  *remaining_ -= data.size();
  return data;
}

Sent Exchange::send_head(const http::ResponseHead& head, std::string_view first,
                         Owner owner, Part part, net::Leave leave) noexcept {
  if (!can_send()) {
    release_owner(owner);
    return Sent::Gone;
  }
  body_allowed_ = !is_head() && !http::is_bodyless(head.status) && head.status != 205;
  if (body_allowed_) remaining_ = head.content_length;
  answer_ = Answer::Begun;
  status_ = head.status;
  at_once_ = part == Part::Last;
  first = clip(first);
  bytes_sent_ = first.size();
  // A piece that is short of its length leaves the rest to finish(), which breaks it
  // off.
  const bool short_of = remaining_.value_or(0) > 0;
  const Sent sent = channel_->write_head(*this, head, first, owner,
                                         short_of ? Part::More : part, leave);
  if (part == Part::Last && sent != Sent::Gone) finish();
  return sent;
}

Sent Exchange::send_whole(const http::ResponseHead& head, std::string_view body,
                          Owner owner, net::Leave leave) noexcept {
  released_next_ = can_send();
  return send_head(head, body, owner, Part::Last, leave);
}

Sent Exchange::send_data(std::string_view data, Owner owner,
                         net::Leave leave) noexcept {
  if (!can_send()) {
    release_owner(owner);
    return Sent::Gone;
  }
  data = clip(data);
  if (data.empty()) {
    release_owner(owner);
    return Sent::Ok;
  }
  bytes_sent_ += data.size();
  return channel_->write_data(*this, data, owner, leave);
}

Sent Exchange::send_file(int file, off_t& offset, std::size_t count) noexcept {
  if (!can_send()) return Sent::Gone;
  if (!body_allowed_) return Sent::Ok;
  ASSERT(remaining_, "a file is sent where its length was not said");
  count = std::min<std::uint64_t>(count, remaining_.value_or(0));
  if (count == 0) return Sent::Ok;  // more than was declared is not sent
  const off_t before = offset;
  const Sent sent = channel_->write_file(*this, file, offset, count);
  const auto taken = static_cast<std::uint64_t>(offset - before);
  bytes_sent_ += taken;
  if (remaining_) *remaining_ -= taken;
  return sent;
}

void Exchange::send_interim(int status,
                            std::span<const http::HeaderView> headers) noexcept {
  if (gone_ || head_sent() || carrier.is_http10()) return;
  channel_->write_interim(*this, status, headers);
}

// Another protocol may begin here.
bool Exchange::may_switch() const noexcept {
  return can_send() && !head_sent() && body_state_ == BodyState::Complete &&
         channel_->may_tunnel();
}

Sent Exchange::open_tunnel(const http::ResponseHead& head) noexcept {
  if (!may_switch()) return Sent::Gone;
  answer_ = Answer::Begun;
  status_ = head.status;
  body_state_ = BodyState::Open;
  spooling_ = nullptr;  // it goes by as it comes
  return channel_->open_tunnel(*this, head);
}

Sent Exchange::lend(Loan& loan) noexcept {
  if (!may_switch()) return Sent::Gone;
  const Sent sent = channel_->lend(*this, loan);
  if (sent != Sent::Ok) return sent;
  answer_ = Answer::Begun;
  status_ = kSwitched;
  body_allowed_ = false;
  return Sent::Ok;
}

void Exchange::finish(std::span<const http::HeaderView> trailers) noexcept {
  if (ended()) return;
  if (!gone_ && remaining_.value_or(0) > 0) {
    channel_->complain(*this, Misfit::TooLittle);
    return abort();
  }
  answer_ = Answer::Whole;
  if (!gone_) channel_->end_answer(*this, trailers);
}

void Exchange::give_up() noexcept {
  finish();
  if (!gone_) channel_->give_up(*this);
}

void Exchange::abort() noexcept {
  if (ended()) return;
  answer_ = Answer::Broken;
  if (!gone_) channel_->break_off(*this);
}

void Exchange::refuse(http::Rejection why) noexcept {
  if (ended()) return;
  if (head_sent()) return abort();
  if (!gone_) return channel_->refuse(*this, why);
  answer_ = Answer::Whole;
  status_ = http::rejection_info(why).status;
}

}  // namespace celadon::server
