// What a conversation is doing, from the answer 101 to the end of its transport.
//
//   Open ──► ClosingByUs ──► Answered ──► Closed
//     ├────────┼───────────► Failed ────────▲
//     ├────────┼───────────► GivenUp ───────┤
//     ├────────┼────────────────────────────┤
//     └──► ClosingByPeer ───────────────────┘
//
//     Open: messages go both ways.   ClosingByUs: our close frame was sent, the peer's
//     is awaited; messages that come before it are dropped, pings are answered.
//     Answered: it came.
//     ClosingByPeer: the peer's close frame came first and was answered.   Failed: the
//     peer broke a rule, and was told so where it still listens.   GivenUp: it answers
//     no ping or no close frame, and takes nothing of what was sent before.
//     Closed: there is no transport any more.
//
// In Answered, ClosingByPeer, Failed and GivenUp nothing is said or heard any more:
// what is queued leaves, then the transport ends; a peer that was given up is not
// waited for to take it. One that ends in Open or ClosingByUs was lost.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/machine.h"

namespace celadon::ws {

enum class State : std::uint8_t {
  Open,
  ClosingByUs,
  Answered,
  ClosingByPeer,
  Failed,
  GivenUp,
  Closed,
};
inline constexpr std::size_t kStates = 7;

inline constexpr Edge<State> kStateEdges[]{
    {State::Open, State::ClosingByUs},      // the application ends it, or the server
    {State::Open, State::ClosingByPeer},    // the peer's close frame came
    {State::Open, State::Failed},           // it broke a rule
    {State::Open, State::GivenUp},          // it is silent
    {State::Open, State::Closed},           // the transport was lost
    {State::ClosingByUs, State::Answered},  // the peer's close frame came
    {State::ClosingByUs, State::Failed},    // it broke a rule
    {State::ClosingByUs, State::GivenUp},   // it does not answer
    {State::ClosingByUs, State::Closed},    // the transport was lost
    {State::Answered, State::Closed},       // the transport has ended
    {State::ClosingByPeer, State::Closed},  // likewise
    {State::Failed, State::Closed},         // likewise
    {State::GivenUp, State::Closed},        // likewise
};
inline constexpr auto kStateTable = make_edges<State, kStates>(kStateEdges);
static_assert(kStateTable.is_whole(State::Closed));

// What comes is read.
[[nodiscard]] constexpr bool hears(State state) noexcept {
  return state == State::Open || state == State::ClosingByUs;
}
// The transport ends behind what is queued.
[[nodiscard]] constexpr bool ends(State state) noexcept {
  return state == State::Answered || state == State::ClosingByPeer ||
         state == State::Failed || state == State::GivenUp;
}

}  // namespace celadon::ws
