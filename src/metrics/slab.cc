#include "metrics/slab.h"

#include <utility>

namespace celadon::metrics {

std::unique_ptr<Slab> Slab::make(std::size_t slots) noexcept {
  auto memory = SharedMemory::make(sizeof(Summary) + slots * sizeof(Slot));
  if (!memory) return nullptr;
  return std::unique_ptr<Slab>(new Slab(std::move(memory), slots));
}

// Fresh pages are zeros, which is what every cell begins with: nothing is touched.
Slab::Slab(SharedMemory memory, std::size_t slots) noexcept
    : memory_(std::move(memory)),
      summary_(static_cast<Summary*>(memory_.get())),
      slots_(reinterpret_cast<Slot*>(static_cast<std::byte*>(memory_.get()) +
                                     sizeof(Summary))),
      count_(slots) {}

void Slab::lease(std::size_t at, Nanos now) noexcept {
  Slot& slot = slots_[at];
  slot.pid.store(0, std::memory_order_relaxed);
  slot.pulse.store(0, std::memory_order_relaxed);
  slot.leased_at.store(now, std::memory_order_relaxed);
  slot.lease.fetch_add(1, std::memory_order_relaxed);
  slot.state.store(SlotState::Booting, std::memory_order_release);
}

void Slab::take_back(std::size_t at) noexcept {
  Slot& slot = slots_[at];
  slot.state.store(SlotState::Free, std::memory_order_release);
  slot.pid.store(0, std::memory_order_relaxed);
  slot.pulse.store(0, std::memory_order_relaxed);
  for (std::size_t i = 0; i < kCounters; ++i) {
    summary_->base[i] += slot.counters[i];
    slot.counters[i] = 0;
  }
  slot.gauges.fill(0);
}

std::uint64_t Slab::total(std::size_t counter) const noexcept {
  std::uint64_t sum = read_cell(summary_->base[counter]);
  for (const Slot& slot : slots()) sum += read_cell(slot.counters[counter]);
  return sum;
}

}  // namespace celadon::metrics
