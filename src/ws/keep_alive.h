// When a peer is asked whether it is there, and when it is given up (WS08). Any byte of
// its shows that it is; what was pinged is only remembered until then.
//
// What it is asked stands behind all that was sent before, also in buffers of both
// kernels: a peer that takes some of that has not come to the question yet, and has its
// time anew.
#pragma once

#include <cstdint>

#include "base/clock.h"
#include "base/delivery.h"
#include "ws/options.h"

namespace celadon::ws {

// A ping, or a close frame, that the peer has to answer.
class Question {
 public:
  constexpr Question() noexcept = default;
  // `delivery`: what stands before it.
  constexpr Question(Nanos now, Delivery delivery) noexcept
      : since_(now), before_(delivery.sent), taken_(delivery.taken) {}

  [[nodiscard]] constexpr bool waits() const noexcept { return since_ != kNever; }
  [[nodiscard]] constexpr Nanos since() const noexcept { return since_; }

  // Whether the peer has taken something of what stands before it. Then its time begins
  // anew; once it has all of that, for the last time.
  [[nodiscard]] constexpr bool comes_nearer(Nanos now, Delivery delivery) noexcept {
    if (taken_ >= before_ || delivery.taken <= taken_) return false;
    since_ = now;
    taken_ = delivery.taken;
    return true;
  }

 private:
  Nanos since_ = kNever;
  std::uint64_t before_ = 0;
  std::uint64_t taken_ = 0;
};

struct KeepAlive {
  Nanos heard = 0;     // the last byte came, or reading went on
  Question ping = {};  // that was sent since then
};

enum class Need : std::uint8_t { Nothing, Ping, GiveUp };

// When something is needed if nothing comes before; kNever: never.
[[nodiscard]] constexpr Nanos due(const KeepAlive& peer,
                                  const Options& options) noexcept {
  const bool waits = peer.ping.waits();
  const Nanos from = waits ? peer.ping.since() : peer.heard;
  const Nanos patience = waits ? options.ping_timeout : options.ping_interval;
  return patience == kNever ? kNever : from + patience;
}

// What is needed at `now`.
[[nodiscard]] constexpr Need need(const KeepAlive& peer, const Options& options,
                                  Nanos now) noexcept {
  if (now < due(peer, options) || due(peer, options) == kNever) return Need::Nothing;
  return peer.ping.waits() ? Need::GiveUp : Need::Ping;
}

}  // namespace celadon::ws
