// What an application does with its WebSocket.
#include <utility>

#include "sim/content.h"
#include "sim/job.h"

namespace celadon::sim {

// What is of answers and bodies means nothing here.
void Job::step_of_socket(const Op& op) {
  const auto n = static_cast<std::uint64_t>(op.n);
  switch (op.kind()) {
    case Act::Get: return get(n == 0 ? UINT64_MAX : n);
    case Act::Text:
    case Act::Binary: return say_message(op.kind() == Act::Text, n);
    case Act::Bye:
      next();
      say("closes its WebSocket");
      return socket_->bye(static_cast<std::uint16_t>(op.n == 0 ? 1000 : op.n), now(),
                          leave());
    case Act::Raise:
    case Act::Abort: how_ = SimSocket::Done::Raised; return end();
    case Act::Never:
      if (socket_->is_over()) return next();
      socket_->wait_for_end();
      blocked_ = Blocked::Socket;
      return;
    default: return next();
  }
}

void Job::accept() {
  next();
  if (!socket_ || record_.head_sent || !record_.plan->asks_for_socket()) return;
  if (!socket_->open(now())) {
    // The connection ends with this answer, or its client has left.
    if (!exchange_->gone()) raise();
    return;
  }
  say("accepts a WebSocket");
}

void Job::get(std::uint64_t most) {
  if (record_.reads_since == kNever) record_.reads_since = now();
  while (progress_ < most) {
    const SimSocket::Got got = socket_->get(now());
    if (got == SimSocket::Got::Nothing) {
      blocked_ = Blocked::Socket;
      return;
    }
    if (got == SimSocket::Got::End) {
      say("hears the end of its WebSocket");
      break;
    }
    ++progress_;
  }
  record_.reads_since = kNever;
  next();
}

void Job::say_message(bool is_text, std::size_t size) {
  if (!socket_->has_room()) {
    say("is full");
    record_.waits_for_room = true;
    blocked_ = Blocked::Socket;
    return;
  }
  next();
  say("sends a message of " + std::to_string(size));
  const auto number = record_.socket.sent.size();
  socket_->send(is_text, message_of(is_text, message_content(content(), number), size),
                leave());
}

// False: the peer's close frame is waited for.
bool Job::end_socket() {
  if (cancelled_) {
    how_ = SimSocket::Done::Killed;
    record_.socket.killed = true;
  }
  if (!std::exchange(ending_, true)) {
    say("is done with its WebSocket");
    socket_->finish(how_, now(), leave());
  }
  if (!cancelled_ && !socket_->is_over()) {
    socket_->wait_for_end();
    blocked_ = Blocked::Socket;
    return false;
  }
  if (!exchange_->gone()) record_.finished = true;
  record_.ended_at = now();
  const memory::Inside inside;
  exchange_->finish();
  socket_.reset();
  return true;
}

}  // namespace celadon::sim
