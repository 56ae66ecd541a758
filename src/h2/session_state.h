// What a session is doing.
//
//   Open ──► Announced ──► Draining
//     │ └────────────────────▲ │
//     └──────┬─────┴───────────┴──► Failing ──► Failed
//            └────────────────────────────────────▲
//
//     Open: streams may begin.   Announced: the peer was told that an end comes, and
//     has not heard it for certain yet: what it began meanwhile is served.   Draining:
//     it was told which stream is the last.   Failing: a fault ends it, the peer hears
//     of that next.   Failed: nothing is said or heard any more.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/machine.h"

namespace celadon::h2 {

enum class State : std::uint8_t { Open, Announced, Draining, Failing, Failed };

inline constexpr Edge<State> kStateEdges[]{
    {State::Open, State::Announced},      // the server drains
    {State::Open, State::Draining},       // at once
    {State::Announced, State::Draining},  // the peer has heard it
    {State::Open, State::Failing},        // the peer broke a rule or a bound
    {State::Announced, State::Failing},   // likewise
    {State::Draining, State::Failing},    // likewise
    {State::Open, State::Failed},         // likewise, and nghttp2 has told it
    {State::Announced, State::Failed},    // likewise
    {State::Draining, State::Failed},     // likewise
    {State::Failing, State::Failed},      // it was told
};
inline constexpr auto kStateTable = make_edges<State, 5>(kStateEdges);
static_assert(kStateTable.is_whole(State::Failed));

[[nodiscard]] constexpr bool has_failed(State state) noexcept {
  return state >= State::Failing;
}

}  // namespace celadon::h2
