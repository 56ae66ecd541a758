#include "sim/client.h"

#include <algorithm>
#include <charconv>

#include "sim/content.h"
#include "sim/ids.h"

namespace celadon::sim {
namespace {

constexpr std::string_view kTrailer = "X-Sum: 0123456789\r\n";
constexpr std::string_view kProxyHeader = "PROXY TCP4 127.0.0.1 127.0.0.1 4000 80\r\n";

void append_padding(std::string& out, Number size) {
  constexpr Number kLine = 8000;
  for (Number left = size; left > 0; left -= kLine) {
    out += "X-Pad: ";
    out.append(static_cast<std::size_t>(std::min(left, kLine)), 'p');
    out += "\r\n";
  }
}

void append_chunks(std::string& out, std::uint64_t content, std::uint64_t size,
                   std::uint64_t chunk) {
  for (std::uint64_t at = 0; at < size; at += chunk) {
    const auto n = static_cast<std::size_t>(std::min(chunk, size - at));
    char digits[20];
    out.append(digits, std::to_chars(digits, digits + sizeof digits, n, 16).ptr);
    out += "\r\n";
    append_content(out, content, at, n);
    out += "\r\n";
  }
}

std::string_view method_of(const Request& request) {
  if (request.bad == bad::Trace) return "TRACE";
  return kMethodNames[request.method];
}

// RFC 6455 1.3 has this key, and what it is answered with.
void append_handshake(std::string& out, const Request& r) {
  constexpr std::string_view kKey = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
  constexpr std::string_view kVersion = "Sec-WebSocket-Version: 13\r\n";
  const auto n = r.ws;
  out += "Upgrade: websocket\r\n";
  if (n != upgrade::Plain) out += "Connection: Upgrade\r\n";
  if (n == upgrade::ShortKey) out += "Sec-WebSocket-Key: dGhlIHNhbXBsZQ==\r\n";
  if (n != upgrade::NoKey && n != upgrade::ShortKey) out += kKey;
  if (n == upgrade::TwoKeys) out += kKey;
  out += n == upgrade::Version ? "Sec-WebSocket-Version: 8\r\n" : kVersion;
  if (n == upgrade::TwoVersions) out += kVersion;
  out += "Sec-WebSocket-Protocol: chat";
  out += n == upgrade::Protocol ? ", a b\r\n" : ", other\r\n";
  if (n == upgrade::Extension) out += "Sec-WebSocket-Extensions: a; =\r\n";
  if (n == upgrade::Origin) out += "Origin: https://elsewhere\r\n";
  if (r.deflate != 0) out += "Sec-WebSocket-Extensions: permessage-deflate\r\n";
}

void append_head(std::string& out, const Request& r, std::size_t client,
                 std::size_t number) {
  out += method_of(r);
  out += r.bad == bad::Line ? "  " : " ";
  out += "/c/" + std::to_string(client) + "/" + std::to_string(number);
  out += r.bad == bad::Version ? " HTTP/2.0" : r.minor == 0 ? " HTTP/1.0" : " HTTP/1.1";
  out += "\r\n";
  if (r.bad != bad::Host) out += "Host: a\r\n";
  if (r.bad == bad::Field) out += "Bad[Name: v\r\n";
  if (r.bad == bad::Length) out += "Content-Length: +5\r\n";
  if (r.bad == bad::Both) out += "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n";
  if (r.keep != 0) out += "Connection: keep-alive\r\n";
  if (r.close != 0) out += "Connection: close\r\n";
  if (r.expect != 0) out += "Expect: 100-continue\r\n";
  if (r.ws != upgrade::None) append_handshake(out, r);
  append_padding(out, r.padding);
  const bool framed = r.bad != bad::Length && r.bad != bad::Both;
  if (r.body >= 0 && framed) {
    if (r.chunk > 0) {
      out += "Transfer-Encoding: chunked\r\n";
    } else {
      out += "Content-Length: " + std::to_string(r.body) + "\r\n";
    }
  }
  out += "\r\n";
}

void append_body(std::string& out, const Request& r, std::uint64_t content) {
  if (r.body < 0 || (r.bad != bad::None && r.bad != bad::Chunk)) return;
  const auto size = static_cast<std::uint64_t>(r.body);
  if (r.chunk == 0) {
    append_content(out, content, 0, size);
    return;
  }
  append_chunks(out, content, size, static_cast<std::uint64_t>(r.chunk));
  if (r.bad == bad::Chunk) {
    out += "zz\r\n";
    return;
  }
  out += "0\r\n";
  for (Number i = 0; i < r.trailer; ++i) out += kTrailer;
  out += "\r\n";
}

}  // namespace

Script::Script(const Client& client, std::size_t number, bool proxied) : plan(&client) {
  if (proxied && client.proxy != 0) bytes = kProxyHeader;
  for (std::size_t i = 0; i < client.requests.size(); ++i) {
    const Request& request = client.requests[i];
    Span span{bytes.size(), 0, 0, request.chunk > 0, 0};
    append_head(bytes, request, number, i);
    span.head_end = bytes.size();
    append_body(bytes, request, request_content(number, i));
    span.end = bytes.size();
    span.body_end =
        span.end - kTrailer.size() * static_cast<std::uint64_t>(request.trailer);
    if (request.tunnel > 0) {
      append_content(bytes, tunnel_content(number, i), 0,
                     static_cast<std::size_t>(request.tunnel));
    }
    spans.push_back(span);
    questions.push_back({.head_request = request.method == methods::Head,
                         .tunnel = request.may_tunnel(),
                         .hurries = request.hurries != 0,
                         .socket = request.asks_for_socket(),
                         .content = answer_content(number, i)});
  }
}

SimClient::SimClient(const Client& plan, std::size_t number, const Rules& rules,
                     Nanos epoch)
    : plan_(plan),
      number_(number),
      epoch_(epoch),
      script_(plan, number, rules.proxy != 0),
      reader_(script_.questions) {
  if (!plan.requests.empty() && plan.requests.back().asks_for_socket()) {
    talk_.emplace(plan.requests.back(),
                  request_content(number, plan.requests.size() - 1),
                  script_.bytes.size(), static_cast<std::uint64_t>(rules.ws_message));
  }
  if (rules.proxy != 0 && plan.proxy != 0 && plan.proxy_stall > 0) {
    gates_.push_back({kProxyHeader.size() / 2, Gate::Kind::Time, plan.proxy_stall});
  }
  for (std::size_t i = 0; i < plan.requests.size(); ++i) add_gates(i);
  if (plan.reads == reading::Late) read_at_ = epoch + plan.reads_ms * kMillisecond;
}

void SimClient::add_gates(std::size_t number) {
  const Request& request = plan_.requests[number];
  const Span& span = script_.spans[number];
  if (request.turn != 0) {
    gates_.push_back({span.begin, Gate::Kind::Answers, static_cast<Number>(number)});
  }
  if (request.wait > 0) gates_.push_back({span.begin, Gate::Kind::Time, request.wait});
  const std::uint64_t stall = span.begin + static_cast<std::uint64_t>(request.stall_at);
  const bool stalls = request.stall > 0 && request.stall_at > 0 && stall < span.end;
  if (stalls && stall <= span.head_end) {
    gates_.push_back({stall, Gate::Kind::Time, request.stall});
  }
  if (request.expect == 1 && request.minor == 1 && span.end > span.head_end) {
    gates_.push_back(
        {span.head_end, Gate::Kind::Continue, static_cast<Number>(number)});
  }
  if (request.expect == 2 && request.stall_at == 0 && request.stall > 0) {
    gates_.push_back({span.head_end, Gate::Kind::Time, request.stall});
  }
  if (stalls && stall > span.head_end) {
    gates_.push_back({stall, Gate::Kind::Time, request.stall});
  }
  if ((request.tunnel > 0 || request.asks_for_socket()) && !request.sends_ahead()) {
    gates_.push_back({span.end, Gate::Kind::Tunnel, static_cast<Number>(number)});
  }
}

std::uint64_t SimClient::limit() const noexcept {
  const std::uint64_t all = script_.bytes.size();
  return plan_.cut < 0 ? all : std::min(all, static_cast<std::uint64_t>(plan_.cut));
}

bool SimClient::is_cut() const noexcept {
  return plan_.cut >= 0 && sent_ >= static_cast<std::uint64_t>(plan_.cut);
}

bool SimClient::all_sent() const noexcept {
  if (given_up_ || is_cut()) return true;
  return sent_ >= limit() && !(talk_ && talk_->goes_on());
}

// What it says on a WebSocket follows from what it hears there.
void SimClient::compose(Nanos now) {
  if (!talk_ || given_up_ || is_cut() || sent_ < limit() || !pass_gates(now)) return;
  const std::vector<Answer>& answers = reader_.answers();
  if (answers.size() == script_.spans.size() && answers.back().status != 101) {
    given_up_ = true;
    return;
  }
  talk_->speak(script_.bytes, reader_.frames(), now);
}

bool SimClient::stopped() const noexcept {
  return plan_.reads == reading::Stop &&
         reader_.bytes() >= static_cast<std::uint64_t>(plan_.reads_n);
}

bool SimClient::told_to_go_on(std::size_t request) const {
  return reader_.told_to_go_on(request);
}

bool SimClient::pass_gates(Nanos now) {
  while (gate_ < gates_.size() && gates_[gate_].offset <= sent_) {
    const Gate& gate = gates_[gate_];
    const auto which = static_cast<std::size_t>(gate.n);
    switch (gate.kind) {
      case Gate::Kind::Time:
        if (gate_until_ == kNever) gate_until_ = now + gate.n * kMillisecond;
        if (now < gate_until_) return false;
        break;
      case Gate::Kind::Answers:
        if (reader_.whole() < which) return false;
        break;
      case Gate::Kind::Continue:
        if (told_to_go_on(which)) break;
        given_up_ = reader_.answers().size() > which;
        return false;
      case Gate::Kind::Tunnel:
        if (reader_.answers().size() <= which) return false;
        if (reader_.answers()[which].status == 101) break;
        given_up_ = true;
        return false;
    }
    gate_until_ = kNever;
    ++gate_;
  }
  return true;
}

bool SimClient::may_write(Nanos now) {
  if (shut_ || closed_ || saw_reset_) return false;
  compose(now);
  if (all_sent() || sent_ >= limit() || !pass_gates(now)) return false;
  if (now < write_at_) return false;
  return link_->up.sending.size() < link_->up.send_buffer && !link_->client_reset;
}

bool SimClient::waits_for_answer(Nanos now) {
  if (talk_ && talk_->waits_to_hear() && sent_ >= limit()) return true;
  return !pass_gates(now) && gates_[gate_].kind != Gate::Kind::Time;
}

bool SimClient::may_read(Nanos now) {
  if (closed_ || saw_end_ || stopped() || now < read_at_) return false;
  const bool goes_on = !all_sent() && !waits_for_answer(now) && !link_->client_reset;
  if (plan_.reads == reading::Last && goes_on) return false;
  return !link_->down.arrived.empty() || link_->client_reset || link_->down.end_arrived;
}

// Also by a WebSocket that is closed by both.
bool SimClient::is_answered() const noexcept {
  const FrameReader* frames = reader_.frames();
  if (frames && frames->close() && talk_->has_closed()) return true;
  return reader_.whole() >= script_.spans.size();
}

bool SimClient::may_end(Nanos now) {
  if (closed_) return false;
  if (saw_reset_) return true;
  if (saw_end_) return all_sent() || shut_ || !may_write(now);
  if (!all_sent()) return false;
  if (end_at_ == kNever) end_at_ = now + plan_.end_wait * kMillisecond;
  if (now < end_at_) return false;
  switch (plan_.end) {
    case ends::Half: return !shut_;
    case ends::Close:
    case ends::Reset: return true;
    case ends::Done: return is_answered();
    default: return false;
  }
}

void SimClient::moves(Nanos now, std::vector<Move>& into) {
  if (!link_) {
    if (now >= epoch_ + plan_.at * kMillisecond) into.push_back(Move::Connect);
    return;
  }
  if (plan_.vanish >= 0 && !link_->unix_socket &&
      now >= epoch_ + plan_.vanish * kMillisecond) {
    left_ = closed_ = link_->vanished = true;
  }
  if (closed_) return;
  if (may_write(now)) into.push_back(Move::Write);
  if (may_read(now)) into.push_back(Move::Read);
  if (may_end(now)) into.push_back(Move::End);
}

Nanos SimClient::next_time(Nanos now) {
  if (!link_) return epoch_ + plan_.at * kMillisecond;
  if (closed_) return kNever;
  Nanos next = kNever;
  if (const Nanos at = epoch_ + plan_.vanish * kMillisecond; at > now) next = at;
  if (!pass_gates(now) && gate_until_ != kNever) {
    next = std::min(next, gate_until_);
  }
  if (talk_ && talk_->wakes_at() > now) next = std::min(next, talk_->wakes_at());
  if (read_at_ > now) next = std::min(next, read_at_);
  if (write_at_ > now && !all_sent()) next = std::min(next, write_at_);
  if (all_sent() && !may_end(now) && end_at_ != kNever && end_at_ > now) {
    next = std::min(next, end_at_);
  }
  return next;
}

void SimClient::make(Move move, Kernel& kernel, int listener, Choices& choices,
                     Nanos now) {
  moved_ = 0;
  switch (move) {
    case Move::None: return;
    case Move::Connect:
      link_ =
          &kernel.connect(listener, number_, static_cast<std::size_t>(plan_.buffer));
      return;
    case Move::Write: return write(kernel, choices, now);
    case Move::Read: return read(kernel, choices, now);
    case Move::End: return end(kernel);
  }
}

void SimClient::write(Kernel& kernel, Choices& choices, Nanos now) {
  std::uint64_t until = limit();
  if (gate_ < gates_.size()) until = std::min(until, gates_[gate_].offset);
  std::size_t n = static_cast<std::size_t>(until - sent_);
  if (plan_.pieces > 0) {
    constexpr std::size_t kMostPieces = 500;
    const std::size_t most = std::max(static_cast<std::size_t>(plan_.pieces),
                                      script_.bytes.size() / kMostPieces);
    n = std::min(n, 1 + choices.below(most));
  }
  moved_ = kernel.client_write(
      *link_,
      std::string_view(script_.bytes).substr(static_cast<std::size_t>(sent_), n));
  sent_ += moved_;
  write_at_ = now + plan_.pace * kMillisecond;
}

void SimClient::read(Kernel& kernel, Choices& choices, Nanos now) {
  if (link_->down.arrived.empty()) {
    saw_reset_ = link_->client_reset;
    saw_end_ = true;
    return;
  }
  std::size_t most = 1 << 18;
  if (plan_.reads == reading::Slow) {
    most = static_cast<std::size_t>(std::max<Number>(plan_.reads_n, 1));
    read_at_ = now + plan_.reads_ms * kMillisecond;
  } else if (plan_.reads == reading::Stop) {
    most = static_cast<std::size_t>(plan_.reads_n) -
           static_cast<std::size_t>(reader_.bytes());
  } else if (choices.percent(20)) {
    most = 1 + choices.below(3000);
  }
  const std::string_view bytes = kernel.client_peek(*link_, most);
  reader_.take(bytes);
  moved_ = bytes.size();
  kernel.client_take(*link_, bytes.size());
}

void SimClient::end(Kernel& kernel) {
  if (saw_end_) return close(kernel, false);
  switch (plan_.end) {
    case ends::Half:
      shut_ = true;
      kernel.client_shut(*link_);
      return;
    case ends::Reset: return close(kernel, true);
    default: return close(kernel, false);
  }
}

void SimClient::close(Kernel& kernel, bool reset) {
  closed_ = true;
  left_ = !saw_end_;
  if (link_->client_reset) return;
  if (reset) {
    kernel.client_reset(*link_);
  } else {
    kernel.client_close(*link_);
  }
}

}  // namespace celadon::sim
