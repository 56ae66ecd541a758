#include "ws/conversation.h"

#include <utility>

#include "base/assert.h"
#include "ws/close_code.h"
#include "ws/frame_writer.h"

namespace celadon::ws {
namespace {

constexpr std::size_t kWorthOwning = 4096;  // bytes; less is copied

void release(Owner owner) noexcept {
  if (owner.release != nullptr) owner.release(owner.object);
}

void append(OutQueue& out, std::string_view data, Owner owner) {
  if (owner.release != nullptr) {
    out.append_owned(data, owner);
  } else {
    out.append_copy(data);
  }
}

void append(OutQueue& out, std::string&& data) {
  if (data.size() < kWorthOwning) {
    out.append_copy(data);
    return;
  }
  auto held = std::make_unique<std::string>(std::move(data));
  const std::string_view bytes = *held;
  out.append_owned(bytes, {held.release(), [](void* object) noexcept {
                             delete static_cast<std::string*>(object);
                           }});
}

void append_control(OutQueue& out, Opcode opcode, std::string_view payload) {
  out.append_copy(FrameHead(opcode, payload.size()).bytes());
  out.append_copy(payload);
}

void append_close(OutQueue& out, std::uint16_t code, std::string_view reason) {
  append_control(out, Opcode::Close, ClosePayload(code, reason).bytes());
}

// The code of a close frame that is well-formed.
std::uint16_t code_of(std::string_view payload) noexcept {
  if (payload.empty()) return close_code::kNone;
  const auto byte = [&](std::size_t i) {
    return static_cast<std::uint8_t>(payload[i]);
  };
  return static_cast<std::uint16_t>(byte(0) << 8 | byte(1));
}

}  // namespace

Conversation::Conversation(const Options& options, Nanos now,
                           const std::optional<DeflateTerms>& deflate,
                           DeflatePool& pool)
    : options_(&options),
      deflation_(deflate ? std::make_unique<Deflation>(*deflate, options.deflate, pool)
                         : nullptr),
      parser_(options, deflation_.get()),
      peer_{.heard = now} {}

void Conversation::set_state(State to) noexcept {
  if (state_ == to) return;
  CHECK(kStateTable.has(state_, to), "illegal step of a conversation");
  state_ = to;
  // The transport may take its time to end.
  if (!hears(to)) parser_.release();
}

// --- what comes ---

std::optional<Event> Conversation::receive(std::string_view& in, Nanos now,
                                           OutQueue& out) {
  if (!in.empty()) peer_ = {.heard = now};
  while (hears(state_)) {
    switch (parser_.next(in)) {
      case MessageParser::Step::NeedMore: return std::nullopt;
      case MessageParser::Step::Faulty: return fail(parser_.fault(), out);
      case MessageParser::Step::Control:
        if (auto event = on_control(out)) return event;
        break;
      case MessageParser::Step::Message:
        if (state_ != State::Open) break;
        return Event{
            parser_.opcode() == Opcode::Text ? Event::Kind::Text : Event::Kind::Binary,
            parser_.data()};
    }
  }
  in = {};
  return std::nullopt;
}

// Nothing where the application does not hear of it. A ping is answered until the
// peer's close frame has come: only data may not follow our own (RFC 6455 5.5.2).
std::optional<Event> Conversation::on_control(OutQueue& out) {
  if (parser_.opcode() == Opcode::Close) return on_close(out);
  const bool is_ping = parser_.opcode() == Opcode::Ping;
  if (is_ping) append_control(out, Opcode::Pong, parser_.data());
  if (state_ != State::Open) return std::nullopt;
  return Event{is_ping ? Event::Kind::Ping : Event::Kind::Pong, parser_.data()};
}

Event Conversation::on_close(OutQueue& out) {
  const std::string_view payload = parser_.data();
  ending_.code = code_of(payload);
  if (payload.size() > 2) ending_.reason = payload.substr(2);
  if (state_ == State::Open) {
    // As it came (RFC 6455 5.5.1): its sender may hear of its own end by this alone.
    append_control(out, Opcode::Close, payload);
    set_state(State::ClosingByPeer);
  } else {
    set_state(State::Answered);
  }
  return {Event::Kind::Closed, {}};
}

Event Conversation::fail(Fault fault, OutQueue& out) {
  end_by(fault, State::Failed, out);
  return {Event::Kind::Closed, {}};
}

void Conversation::end_by(Fault fault, State to, OutQueue& out) {
  const FaultInfo info = fault_info(fault);
  ending_ = {.code = info.code, .reason = std::string(info.text), .fault = fault};
  // It is said once: a close frame is the last one.
  if (state_ == State::Open) append_close(out, info.code, info.text);
  set_state(to);
}

// --- what goes ---

Refusal Conversation::send(Opcode opcode, std::string_view data, OutQueue& out,
                           Owner owner) {
  if (state_ != State::Open) {
    release(owner);
    return Refusal::NotOpen;
  }
  std::string deflated;
  if (deflation_ && deflation_->deflate(data, deflated)) {
    release(owner);
    out.append_copy(FrameHead(opcode, deflated.size(), FrameHead::Last::Yes,
                              FrameHead::Compressed::Yes)
                        .bytes());
    append(out, std::move(deflated));
    return Refusal::None;
  }
  out.append_copy(FrameHead(opcode, data.size()).bytes());
  append(out, data, owner);
  return Refusal::None;
}

Refusal Conversation::ping(std::string_view data, OutQueue& out) {
  if (state_ != State::Open) return Refusal::NotOpen;
  if (data.size() > kMostControl) return Refusal::TooLong;
  append_control(out, Opcode::Ping, data);
  return Refusal::None;
}

Refusal Conversation::close(std::uint16_t code, std::string_view reason, Nanos now,
                            OutQueue& out, Delivery delivery) {
  if (state_ != State::Open) return Refusal::NotOpen;
  if (!is_close_code(code)) return Refusal::BadCode;
  if (reason.size() > kLongestReason) return Refusal::TooLong;
  Utf8 text;
  if (!text.take(reason) || !text.is_whole()) return Refusal::BadReason;
  append_close(out, code, reason);
  close_ = Question(now, delivery);
  set_state(State::ClosingByUs);
  return Refusal::None;
}

// --- time ---

Nanos Conversation::due() const noexcept {
  if (state_ == State::Open) return ws::due(peer_, *options_);
  if (state_ != State::ClosingByUs || options_->close_timeout == kNever) return kNever;
  return close_.since() + options_->close_timeout;
}

void Conversation::on_time(Nanos now, OutQueue& out, Delivery delivery) {
  if (now < due() || due() == kNever) return;
  if (state_ == State::ClosingByUs) {
    if (!close_.comes_nearer(now, delivery)) set_state(State::GivenUp);
  } else if (need(peer_, *options_, now) == Need::Ping) {
    append_control(out, Opcode::Ping, {});
    peer_.ping = Question(now, delivery);
  } else if (!peer_.ping.comes_nearer(now, delivery)) {
    end_by(Fault::Silent, State::GivenUp, out);
  }
}

}  // namespace celadon::ws
