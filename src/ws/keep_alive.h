// When a peer is asked whether it is there, and when it is given up (WS08). Any byte of
// its shows that it is; what was pinged is only remembered until then.
#pragma once

#include <cstdint>

#include "base/clock.h"
#include "ws/options.h"

namespace celadon::ws {

struct KeepAlive {
  Nanos heard = 0;       // the last byte came, or reading went on
  Nanos asked = kNever;  // a ping was sent since then
};

enum class Need : std::uint8_t { Nothing, Ping, GiveUp };

// When something is needed if nothing comes before; kNever: never.
[[nodiscard]] constexpr Nanos due(const KeepAlive& peer,
                                  const Options& options) noexcept {
  const bool waits = peer.asked != kNever;
  const Nanos from = waits ? peer.asked : peer.heard;
  const Nanos patience = waits ? options.ping_timeout : options.ping_interval;
  return patience == kNever ? kNever : from + patience;
}

// What is needed at `now`.
[[nodiscard]] constexpr Need need(const KeepAlive& peer, const Options& options,
                                  Nanos now) noexcept {
  if (now < due(peer, options) || due(peer, options) == kNever) return Need::Nothing;
  return peer.asked == kNever ? Need::Ping : Need::GiveUp;
}

}  // namespace celadon::ws
