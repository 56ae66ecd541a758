#include "metrics/slab.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <vector>

#include "base/assert.h"

namespace celadon::metrics {
std::unique_ptr<Slab> Slab::make(std::size_t slots) noexcept {
  const std::size_t bytes = sizeof(Summary) + slots * sizeof(Slot);
  const int fd = ::memfd_create("celadon", MFD_CLOEXEC);
  if (fd < 0) return nullptr;
  void* memory = MAP_FAILED;
  if (::ftruncate(fd, static_cast<off_t>(bytes)) == 0) {
    memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  }
  ::close(fd);
  if (memory == MAP_FAILED) return nullptr;
  return std::unique_ptr<Slab>(new Slab(memory, bytes, slots));
}

// Fresh pages are zeros, which is what every cell begins with: nothing is touched.
Slab::Slab(void* memory, std::size_t bytes, std::size_t slots) noexcept
    : memory_(memory),
      bytes_(bytes),
      summary_(static_cast<Summary*>(memory)),
      slots_(
          reinterpret_cast<Slot*>(static_cast<std::byte*>(memory) + sizeof(Summary))),
      count_(slots) {}

Slab::~Slab() {
  ::munmap(memory_, bytes_);
}

// At the same address, where code of the parent's may still count.
void Slab::make_private() noexcept {
  const auto* bytes = static_cast<const std::byte*>(memory_);
  const std::vector<std::byte> copy(bytes, bytes + bytes_);
  constexpr int kFlags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
  void* memory = ::mmap(memory_, bytes_, PROT_READ | PROT_WRITE, kFlags, -1, 0);
  CHECK(memory == memory_, "no memory for a copy of the slab");
  std::memcpy(memory_, copy.data(), copy.size());
}

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
