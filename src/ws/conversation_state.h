// What a conversation is doing, from the answer 101 to the end of its transport.
//
//   Open ──► ClosingByUs ──► Answered ──► Closed
//     ├────────┼───────────► Failed ────────▲
//     ├────────┼────────────────────────────┤
//     └──► ClosingByPeer ───────────────────┘
//
//     Open: messages go both ways.   ClosingByUs: our close frame was sent, the peer's
//     is awaited; messages that come before it are dropped, pings are answered.
//     Answered: it came.
//     ClosingByPeer: the peer's close frame came first and was answered.   Failed: the
//     peer broke a rule or is silent, and was told so where it still listens.
//     Closed: there is no transport any more.
//
// In Answered, ClosingByPeer and Failed nothing is said or heard any more: what is
// queued leaves, then the transport ends. One that ends in Open or ClosingByUs was
// lost.
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
  Closed,
};
inline constexpr std::size_t kStates = 6;

inline constexpr Edge<State> kStateEdges[]{
    {State::Open, State::ClosingByUs},      // the application ends it, or the server
    {State::Open, State::ClosingByPeer},    // the peer's close frame came
    {State::Open, State::Failed},           // it broke a rule, or is silent
    {State::Open, State::Closed},           // the transport was lost
    {State::ClosingByUs, State::Answered},  // the peer's close frame came
    {State::ClosingByUs, State::Failed},    // it broke a rule, or does not answer
    {State::ClosingByUs, State::Closed},    // the transport was lost
    {State::Answered, State::Closed},       // the transport has ended
    {State::ClosingByPeer, State::Closed},  // likewise
    {State::Failed, State::Closed},         // likewise
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
         state == State::Failed;
}

}  // namespace celadon::ws
