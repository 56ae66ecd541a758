// The states of one HTTP/1 connection.
//
//            ┌───────── Proxied ──► Idle ◄─────────────┐
//   accept ──┤                       │ bytes           │ body gone by
//            └──────────────────────►▼                 │
//                                   Head ──► Active ──► Draining
//                                    │ bad    │ close     │ too much, too late
//                                    ▼        ▼           ▼
//                                  Flushing ──► Lingering ──► Closed
//
// Proxied: waits for its PROXY header.   Idle: between requests.   Head: part of a head
// is there.   Active: a request is with the application.   Draining: it was answered,
// its body is still coming.   Flushing: the last answer is on its way out.   Lingering:
// our end is shut, the peer's bytes are discarded so that no reset destroys the answer.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

namespace celadon::server {

enum class State : std::uint8_t {
  Proxied,
  Idle,
  Head,
  Active,
  Draining,
  Flushing,
  Lingering,
  Closed
};
enum class Event : std::uint8_t {
  ProxyHeader,  // the PROXY header was read
  Bytes,        // the first byte of a request came
  Request,      // a head is complete and goes to the application
  Answered,     // the answer is complete, the connection stays
  BodyLeft,     // likewise, but part of the request body is still to come
  Drained,      // that part came
  LastAnswer,   // the answer is complete and was the last one
  Sent,         // the last answer is with the kernel
  Close,        // end of file, reset, time-out, or lingered enough
};
inline constexpr std::size_t kStates = 8;
inline constexpr std::size_t kEvents = 9;

struct Transition {
  State from;
  Event event;
  State to;
};

inline constexpr std::array kTransitions{
    Transition{State::Proxied, Event::ProxyHeader, State::Idle},
    Transition{State::Proxied, Event::Close, State::Closed},
    Transition{State::Idle, Event::Bytes, State::Head},
    Transition{State::Idle, Event::Request, State::Active},
    Transition{State::Idle, Event::LastAnswer, State::Flushing},
    Transition{State::Idle, Event::Close, State::Closed},
    Transition{State::Head, Event::Request, State::Active},
    Transition{State::Head, Event::LastAnswer, State::Flushing},
    Transition{State::Head, Event::Close, State::Closed},
    Transition{State::Active, Event::Answered, State::Idle},
    Transition{State::Active, Event::BodyLeft, State::Draining},
    Transition{State::Active, Event::LastAnswer, State::Flushing},
    Transition{State::Active, Event::Close, State::Closed},
    Transition{State::Draining, Event::Drained, State::Idle},
    Transition{State::Draining, Event::LastAnswer, State::Flushing},
    Transition{State::Draining, Event::Close, State::Closed},
    Transition{State::Flushing, Event::Sent, State::Lingering},
    Transition{State::Flushing, Event::Close, State::Closed},
    Transition{State::Lingering, Event::Close, State::Closed},
};

namespace detail {
inline constexpr auto kIllegal = static_cast<State>(kStates);

consteval std::array<std::array<State, kEvents>, kStates> make_matrix() {
  std::array<std::array<State, kEvents>, kStates> matrix{};
  for (auto& row : matrix) row.fill(kIllegal);
  for (const Transition& t : kTransitions) {
    matrix[static_cast<std::size_t>(t.from)][static_cast<std::size_t>(t.event)] = t.to;
  }
  return matrix;
}
inline constexpr auto kMatrix = make_matrix();

consteval bool every_state_is_reached_and_left() {
  for (std::size_t i = 0; i < kStates; ++i) {
    const auto state = static_cast<State>(i);
    bool reached = state == State::Proxied || state == State::Idle;  // initial states
    bool left = state == State::Closed;                              // the final one
    for (const Transition& t : kTransitions) {
      reached = reached || t.to == state;
      left = left || t.from == state;
    }
    if (!reached || !left) return false;
  }
  return true;
}
}  // namespace detail
static_assert(detail::every_state_is_reached_and_left());

// The state after `event`, or nothing where the event is illegal.
[[nodiscard]] constexpr std::optional<State> next_state(State from,
                                                        Event event) noexcept {
  const State to =
      detail::kMatrix[static_cast<std::size_t>(from)][static_cast<std::size_t>(event)];
  if (to == detail::kIllegal) return std::nullopt;
  return to;
}

}  // namespace celadon::server
