// Deadlines of a connection: a function of what it is doing. Nothing is armed for a
// wait and forgotten when the wait ends; one timer fires at the earliest, and what is
// due is asked again then.
#pragma once

#include <cstdint>

#include "base/clock.h"
#include "server/connection_state.h"
#include "server/settings.h"

namespace celadon::server {

enum class Why : std::uint8_t {
  Nothing,
  More,       // input that is here already waits for its turn
  Preface,    // header_timeout: the PROXY header
  Handshake,  // tls_handshake_timeout
  FirstHead,  // header_timeout: no byte of a first request
  Head,       // header_timeout: a head is partly here
  Idle,       // keepalive
  Closing,    // the server ends, and no request was on its way
  Body,       // body_timeout, body_total_timeout
  Rest,       // the rest of a body that nobody wants
  Linger,     // linger_timeout, linger_total_timeout
  Delivery,   // whether the peer has what was sent
  Write,      // write_timeout
};

struct Due {
  Nanos when = kNever;
  Why why = Why::Nothing;
};

// What deadlines are reckoned from.
struct Marks {
  Nanos since = 0;         // the wait for input began
  Nanos until = kNever;    // the end of the whole of it, where it has one
  std::uint64_t body = 0;  // bytes of the body that were there at `since`
  Nanos blocked = 0;       // the wait for output began
  std::uint64_t sent = 0;  // bytes that had been delivered at `blocked`
  Nanos asked = 0;         // whether all was delivered
  Nanos taken = 0;         // the client took some of the last answer
};

// What they follow from, beside the marks.
struct Situation {
  ConnectionState state;
  bool fresh = false;            // no request has come yet
  bool has_input = false;        // input is stored that nobody has looked at
  bool waits_for_body = false;   // the client was told to send, and there is room
  bool resets = false;           // the end is a reset, once all was delivered
  bool makes_room = false;       // another one waits for its place
  Nanos closing_since = kNever;  // the server ends
};

inline constexpr Nanos kDrainTime = kSecond;             // CN07, CN16
inline constexpr Nanos kTurn = kMillisecond;             // others have theirs
inline constexpr Nanos kLongestDelivery = 30 * kSecond;  // where write_timeout is off
inline constexpr Nanos kDeliveryPeriod = 10 * kMillisecond;
inline constexpr Nanos kKernelTick = 10 * kMillisecond;  // its times are that exact

[[nodiscard]] Due due(const Situation& now, const Marks& marks,
                      const Settings& settings) noexcept;

// Bytes that a peer must move in a period of `timeout` at `rate` bytes a second; at
// least one.
[[nodiscard]] std::uint64_t least_in(Nanos timeout, std::uint64_t rate) noexcept;

}  // namespace celadon::server
