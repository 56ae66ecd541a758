#include "metrics/balance.h"

#include <algorithm>

namespace celadon::metrics {
namespace {

bool serves(const Slot& slot) noexcept {
  return slot.state.load(std::memory_order_acquire) == SlotState::Ready;
}

}  // namespace

std::int64_t load_of(const Slot& slot) noexcept {
  return static_cast<std::int64_t>(read_cell(slot.gauges[gauge::kConnections])) +
         slot.coming.load(std::memory_order_relaxed);
}

bool is_held(const Slot& slot, Nanos now) noexcept {
  const Nanos began = slot.pulse.load(std::memory_order_relaxed);
  return began != 0 && now - began > kHeld;
}

bool hangs(const Slab& slab, Nanos timeout, Nanos now) noexcept {
  constexpr Nanos kBesideTimeout = 10 * kSecond;
  if (timeout <= 0) return false;
  return std::ranges::any_of(slab.slots(), [=](const Slot& slot) {
    if (slot.state.load(std::memory_order_relaxed) == SlotState::Free) return false;
    const Nanos began = slot.pulse.load(std::memory_order_relaxed);
    return began != 0 && now - began > timeout + kBesideTimeout;
  });
}

bool has_other(const Slab& slab, std::size_t but) noexcept {
  const auto slots = slab.slots();
  for (std::size_t i = 0; i < slots.size(); ++i) {
    if (i != but && serves(slots[i])) return true;
  }
  return false;
}

std::optional<std::size_t> least_loaded(const Slab& slab, std::size_t but,
                                        Nanos now) noexcept {
  std::optional<std::size_t> best;
  const auto slots = slab.slots();
  for (std::size_t i = 0; i < slots.size(); ++i) {
    if (i == but || !serves(slots[i]) || is_held(slots[i], now)) continue;
    if (!best || load_of(slots[i]) < load_of(slots[*best])) best = i;
  }
  return best;
}

}  // namespace celadon::metrics
