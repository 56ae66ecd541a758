// From answers to bytes.
#include <algorithm>

#include "server/server.h"
#include "server/session.h"
#include "server/slow_request.h"

namespace celadon::server {
namespace {

constexpr std::size_t kSmallBody = 4096;  // copied behind its head: one plain send
constexpr std::size_t kCorkLimit = 64 * 1024;

void release_owner(Owner owner) noexcept {
  if (owner.release) owner.release(owner.object);
}

}  // namespace

Sent Session::put(std::string_view copied, std::string_view held, Owner owner,
                  std::string_view tail, Leaves leaves) noexcept {
  // More requests wait in the input: their answers leave together.
  const bool more = leaves == Leaves::AtTurnEnd || !stored_input().empty();
  const std::size_t queued = stream_.queued() + copied.size() + held.size();
  const bool cork = !closing_ && more && queued < kCorkLimit;
  const net::Push push = cork                         ? net::Push::Later
                         : leaves == Leaves::WithFile ? net::Push::WithNext
                                                      : net::Push::Now;
  const net::Io io = stream_.send(copied, held, owner, tail, push);
  if (io.step == net::Io::Step::Failed) {
    if (state_ == State::Active && exchange_) {
      mark_gone();
    } else {
      on_hangup();
    }
    return Sent::Gone;
  }
  if (io.step == net::Io::Step::Done) return Sent::Ok;
  if (cork) {
    held_ = leaves == Leaves::AtTurnEnd;
    server_.cork(*this);
  } else {
    watch_output();
  }
  return stream_.queued() > settings().response_buffer ? Sent::Full : Sent::Ok;
}

Sent Session::send_head(Exchange& x, const http::ResponseHead& head,
                        std::string_view first, Owner owner, Follows follows) noexcept {
  if (x.gone_ || x.finished_) {
    release_owner(owner);
    return Sent::Gone;
  }
  auto length = head.content_length;
  if (head.status == 205) length = 0;
  auto [framing, body_allowed] = http::h1::choose_framing(
      head.status, x.is_head(), x.request_.minor, length.has_value());
  if (head.status == 205) body_allowed = false;
  const bool asks_close =
      head.close || framing == http::h1::Framing::Close || eof_ || server_.closing();
  if (asks_close) closing_ = true;
  if (!x.request_.close) linger_ = linger_ || closing_;
  if (body_blocks_reuse(x)) closing_ = linger_ = true;

  x.head_sent_ = true;
  x.status_ = head.status;
  x.body_allowed_ = body_allowed;
  x.chunked_ = framing == http::h1::Framing::Chunked;
  if (body_allowed && framing == http::h1::Framing::Length) x.remaining_ = length;
  if (server_.access_log_ && server_.access_log_->format().wants_response_headers()) {
    for (const auto& h : head.headers) x.logged_headers_.emplace_back(h.name, h.value);
  }

  x.answered_at = server_.loop_.clock().now();
  x.at_once_ = follows == Follows::Nothing;
  std::string timing;
  if (settings().server_timing && x.account) {
    const Nanos queued = std::max<Nanos>(x.started_at - x.received_at, 0);
    append_server_timing(timing, *x.account, queued, x.answered_at);
  }
  std::string& out = server_.render_;
  out.clear();
  const http::h1::Extras extras{
      .lines = server_.own_lines(head.has_date, head.has_server),
      .field = server_.names_itself(head) ? http::HeaderView{} : id_field(x),
      .timing = {"Server-Timing", timing},
      .close = closing_,
      .keep_alive = x.request_.minor == 0};
  http::h1::append_head(out, head, framing, length.value_or(0), extras);
  return send_framed(x, out, first, owner, follows);
}

// Cuts what exceeds the declared length (RS04).
std::string_view Session::clip(Exchange& x, std::string_view data) noexcept {
  if (!x.body_allowed_) return {};
  if (!x.remaining_) return data;
  if (data.size() > *x.remaining_) {
    server_.log_.log(Level::Warning,
                     "the application sent more than its Content-Length, the rest was "
                     "dropped: " +
                         escape_for_log(x.request_.text(x.request_.target)));
    data = data.substr(0, *x.remaining_);
  }
  *x.remaining_ -= data.size();
  return data;
}

// `out` is what precedes the data: a head, or nothing.
Sent Session::send_framed(Exchange& x, std::string& out, std::string_view data,
                          Owner owner, Follows follows) noexcept {
  const bool last = follows == Follows::Nothing;
  data = clip(x, data);
  x.bytes_sent_ += data.size();
  std::string_view tail;
  if (x.chunked_) {
    if (!data.empty()) {
      http::h1::append_chunk_size(out, data.size());
      tail = "\r\n";
    }
    x.ended_ = x.ended_ || last;
    if (last) tail = data.empty() ? http::h1::kLastChunk : "\r\n0\r\n\r\n";
  }
  if (data.size() <= kSmallBody) {
    out.append(data);
    out.append(tail);
    release_owner(owner);
    owner = {};
    data = tail = {};
  }
  const bool whole = last || !x.body_allowed_ || x.remaining_ == 0;
  Leaves leaves = Leaves::Now;
  if (whole && x.may_wait && data.empty()) leaves = Leaves::AtTurnEnd;
  // A head in a segment of its own keeps the window of some receivers small for good:
  // they judge by it what a segment costs them.
  if (!whole && follows == Follows::File) leaves = Leaves::WithFile;
  const Sent sent = put(out, data, owner, tail, leaves);
  if (last && sent != Sent::Gone) finish(x);
  return sent;
}

Sent Session::send_data(Exchange& x, std::string_view data, Owner owner) noexcept {
  if (x.gone_ || x.finished_) {
    release_owner(owner);
    return Sent::Gone;
  }
  if (data.empty() || !x.body_allowed_) {
    release_owner(owner);
    return Sent::Ok;
  }
  std::string& out = server_.render_;
  out.clear();
  return send_framed(x, out, data, owner, Follows::Data);
}

Sent Session::send_file(Exchange& x, int file, off_t& offset,
                        std::size_t count) noexcept {
  if (x.gone_ || x.finished_) return Sent::Gone;
  if (!x.body_allowed_) return Sent::Ok;
  if (stream_.queued() > 0) {
    flush();
    if (x.gone_) return Sent::Gone;
    if (stream_.queued() > 0) return Sent::Full;
  }
  if (x.remaining_) count = std::min<std::uint64_t>(count, *x.remaining_);
  const net::Io io = stream_.send_file(file, offset, count);
  switch (io.step) {
    case net::Io::Step::Done:
      x.bytes_sent_ += io.bytes;
      if (x.remaining_) *x.remaining_ -= io.bytes;
      return Sent::Ok;
    case net::Io::Step::Again:
      stream_.want_write();
      watch_output();
      return Sent::Full;
    case net::Io::Step::Eof: return Sent::Ok;
    case net::Io::Step::Failed: break;
  }
  mark_gone();
  return Sent::Gone;
}

void Session::send_interim(int status,
                           std::span<const http::HeaderView> headers) noexcept {
  if (!exchange_ || exchange_->head_sent_ || exchange_->gone_) return;
  if (exchange_->request_.minor == 0) return;
  std::string& out = server_.render_;
  out.clear();
  http::h1::append_interim(out, status, headers);
  const net::Io io = stream_.send(out, {}, {}, {});
  if (io.step == net::Io::Step::Again) watch_output();
  if (io.step == net::Io::Step::Failed) mark_gone();
}

void Session::finish(Exchange& x) noexcept {
  if (x.finished_) return;
  x.finished_ = true;
  if (x.gone_) return;
  if (x.chunked_ && !x.ended_) put(http::h1::kLastChunk, {}, {}, {});
  if (x.remaining_.value_or(0) > 0) {
    server_.log_.log(Level::Error,
                     "the application sent less than its Content-Length, connection "
                     "closed: " +
                         escape_for_log(x.request_.text(x.request_.target)));
    closing_ = true;
  }
}

void Session::abort(Exchange& x) noexcept {
  if (x.finished_) return;
  x.finished_ = true;
  closing_ = true;
  if (x.gone_) return;
  stream_.reset();
}

void Session::refuse(Exchange& x, http::Rejection why) noexcept {
  if (x.finished_) return;
  if (x.head_sent_) {
    abort(x);
    return;
  }
  x.finished_ = true;
  x.head_sent_ = true;
  x.status_ = http::rejection_info(why).status;
  if (x.gone_) return;
  if (!http::is_application_fault(why)) {
    server_.log_refusal(connection_.peer, why, &x.request_);
    closing_ = linger_ = true;
  } else if (eof_ || server_.closing() || body_blocks_reuse(x)) {
    closing_ = linger_ = true;
  }
  send_page(why, !x.is_head(), id_field(x));
}

// The id that the answer carries; empty: none.
http::HeaderView Session::id_field(Exchange& x) noexcept {
  const std::string_view name = server_.naming_.header();
  if (name.empty()) return {};
  server_.name(x);
  return {name, x.identity_.request_id()};
}

void Session::identify(Exchange& x) noexcept {
  server_.name(x);
  if (x.identity_.trace_size > 0 || !settings().trace_context) return;
  server_.naming_.trace(x.identity_, x.request_);
}

void Session::send_page(http::Rejection why, bool with_body,
                        http::HeaderView id) noexcept {
  const auto info = http::rejection_info(why);
  const std::string_view reason = http::reason_phrase(info.status);
  std::string page(info.text);
  page += '\n';
  std::vector<http::HeaderView> headers{{"Content-Type", "text/plain; charset=utf-8"}};
  const std::string retry = std::to_string(settings().retry_after);
  if (info.status == 503) headers.push_back({"Retry-After", retry});
  if (info.status == 405) {
    headers.push_back({"Allow", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"});
  }
  http::ResponseHead head;
  head.status = info.status;
  head.reason = reason;
  head.headers = headers;
  const http::h1::Extras extras{
      .lines = server_.own_lines(false, false), .field = id, .close = closing_};
  std::string& out = server_.render_;
  out.clear();
  http::h1::append_head(out, head, http::h1::Framing::Length, page.size(), extras);
  if (with_body) out += page;
  put(out, {}, {}, {});
}

}  // namespace celadon::server
