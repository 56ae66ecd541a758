// What a WebSocket of an application's is doing, from the request that asks for it to
// the end of that. The conversation on it (ws/conversation_state.h) knows why it ended;
// this is what its application and its connection have to know.
//
//   Life     Offered ──► Open ──► Closing ──► Ended
//                         └─────────────────────▲
//            Offered: its request is one like others, and may be answered as such.
//            Open: messages go both ways.   Closing: our close frame was sent, the
//            peer's is awaited.   Ended: nothing is said or heard any more, and the
//            transport ends. In Closing and Ended what had come may still be received.
//
//   Inbox    Takes ◄──► Full      Full: what came is not looked at
//   Outlet   Free ◄──► Blocked    Blocked: the client does not take what was sent
//
// Only an open one is held up by its application or its client (WS09).
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/machine.h"
#include "ws/conversation_state.h"

namespace celadon::gateway {

enum class Life : std::uint8_t { Offered, Open, Closing, Ended };
enum class Inbox : std::uint8_t { Takes, Full };
enum class Outlet : std::uint8_t { Free, Blocked };

inline constexpr std::size_t kLives = 4;
inline constexpr Edge<Life> kLifeEdges[]{
    {Life::Offered, Life::Open},  // the application accepts it
    {Life::Open, Life::Closing},  // the application ends it, or the server
    {Life::Open, Life::Ended},    // the peer ends it, breaks a rule, is silent, is lost
    {Life::Closing, Life::Ended},  // likewise, or it has answered
};
inline constexpr auto kLifeTable = make_edges<Life, kLives>(kLifeEdges);
static_assert(kLifeTable.is_whole(Life::Ended));

// Of one that was accepted.
[[nodiscard]] constexpr Life life_of(ws::State conversation) noexcept {
  if (conversation == ws::State::Open) return Life::Open;
  return ws::hears(conversation) ? Life::Closing : Life::Ended;
}

struct WebSocketState {
  Life life = Life::Offered;
  Inbox inbox = Inbox::Takes;
  Outlet outlet = Outlet::Free;

  bool operator==(const WebSocketState&) const = default;

  // The peer is not silent: it is not read.
  [[nodiscard]] constexpr bool rests() const noexcept {
    return inbox == Inbox::Full || outlet == Outlet::Blocked;
  }
};

// Which states go together.
[[nodiscard]] constexpr bool is_legal(WebSocketState s) noexcept {
  return s.life == Life::Open || !s.rests();
}
// Which one may follow.
[[nodiscard]] constexpr bool may_step(WebSocketState from, WebSocketState to) noexcept {
  return is_legal(to) && (from.life == to.life || kLifeTable.has(from.life, to.life));
}

}  // namespace celadon::gateway
