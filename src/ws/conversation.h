// One WebSocket, from the answer 101 to the end of its transport: who may say what, and
// what the application hears. It holds no socket and reads no clock:
//
//   bytes ─► receive ─► Event ─► application ─► send, ping, close ─► OutQueue
//               └──────► pongs, close frames ─────────────────────────▲
//   time  ─► due, on_time ─► pings ───────────────────────────────────┘
//              └─ Delivery: how far it has come
//
// Whoever owns it pulls events until there is none, so it stops where the application's
// queue is full (WS09), and writes the queue once for all that a turn has put there.
// Pongs grow that queue: who does not take them is not read any more, as with answers.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/out_queue.h"
#include "ws/close_code.h"
#include "ws/conversation_state.h"
#include "ws/deflation.h"
#include "ws/keep_alive.h"
#include "ws/message_parser.h"

namespace celadon::ws {

struct Event {
  enum class Kind : std::uint8_t {
    Text,    // a whole message, of UTF-8
    Binary,  // a whole message
    Ping,    // it was answered
    Pong,    // of a ping of ours, or unasked for
    Closed,  // ending() says how; the last event
  };
  Kind kind;
  std::string_view data;  // until the next call of receive(), or the end
};

// How it ended, for the application and the log.
struct Ending {
  std::uint16_t code = close_code::kLost;  // the peer's, or why we failed it
  std::string reason;                      // likewise
  Fault fault = Fault::None;
};

enum class Refusal : std::uint8_t {
  None,
  NotOpen,    // one of both sides has closed
  BadCode,    // no close frame may hold it
  BadReason,  // not UTF-8
  TooLong,    // for a control frame
};

class Conversation {
 public:
  // `options` and `pool` outlive it. `deflate`: what the handshake has agreed on.
  Conversation(const Options& options, Nanos now,
               const std::optional<DeflateTerms>& deflate, DeflatePool& pool);

  [[nodiscard]] State state() const noexcept { return state_; }
  // Once it is neither Open nor ClosingByUs.
  [[nodiscard]] const Ending& ending() const noexcept { return ending_; }

  // Takes bytes from the front of `in` until there is an event; call again until there
  // is none. What must be answered is added to `out`. Once nothing is heard any more,
  // bytes are dropped.
  [[nodiscard]] std::optional<Event> receive(std::string_view& in, Nanos now,
                                             OutQueue& out);
  // Of the event that was a message: it leaves with its memory.
  [[nodiscard]] std::string take_message() noexcept { return parser_.take_message(); }
  // Bytes are read again, after the application's queue was full: the peer was not
  // silent meanwhile.
  void on_reading_again(Nanos now) noexcept { peer_ = {.heard = now}; }
  // Not by us, or behind what was queued.
  void on_transport_end() noexcept { set_state(State::Closed); }

  // A message. What is sent as text has to be UTF-8, which is not looked at. With an
  // owner the bytes are not copied; it is released once they were sent, or refused.
  [[nodiscard]] Refusal send_text(std::string_view text, OutQueue& out,
                                  Owner owner = {}) {
    return send(Opcode::Text, text, out, owner);
  }
  [[nodiscard]] Refusal send_binary(std::string_view data, OutQueue& out,
                                    Owner owner = {}) {
    return send(Opcode::Binary, data, out, owner);
  }
  [[nodiscard]] Refusal ping(std::string_view data, OutQueue& out);
  // Begins the close handshake. `delivery`: of what was sent before, where that is
  // known.
  [[nodiscard]] Refusal close(std::uint16_t code, std::string_view reason, Nanos now,
                              OutQueue& out, Delivery delivery = {});

  // When on_time() has something to do, if nothing comes before.
  [[nodiscard]] Nanos due() const noexcept;
  // A ping is sent; or the peer is given up, which state() tells. Call after what came
  // was received; `delivery` as in close().
  void on_time(Nanos now, OutQueue& out, Delivery delivery = {});

 private:
  void set_state(State to) noexcept;
  [[nodiscard]] Refusal send(Opcode opcode, std::string_view data, OutQueue& out,
                             Owner owner);
  std::optional<Event> on_control(OutQueue& out);
  Event on_close(OutQueue& out);
  Event fail(Fault fault, OutQueue& out);
  void end_by(Fault fault, State to, OutQueue& out);

  const Options* options_;
  std::unique_ptr<Deflation> deflation_;  // where it was agreed on
  MessageParser parser_;
  State state_ = State::Open;
  KeepAlive peer_;
  Question close_;  // ours
  Ending ending_;
};

}  // namespace celadon::ws
