#include "py/stack_chunks.h"

#include <array>
#include <atomic>
#include <cstddef>
#include <utility>

#include "py/python.h"

namespace celadon::py {
namespace {

constexpr std::size_t kChunk = std::size_t{16} << 10;
constexpr std::size_t kLargest = std::size_t{512} << 10;  // an arena has 1 MiB
constexpr std::size_t kKept = 16;

struct Block {
  void* start = nullptr;
  std::size_t size = 0;
};

PyObjectArenaAllocator below{};  // who maps
std::array<void*, kKept> kept{};
std::size_t count = 0;
Block last_of_others;  // of another size: a frame was too large for a usual one

// Interpreters with a lock of their own share all this. Who does not get it goes
// without.
std::atomic_flag taken = ATOMIC_FLAG_INIT;
class Turn {
 public:
  Turn() noexcept : ours_(!taken.test_and_set(std::memory_order_acquire)) {}
  ~Turn() {
    if (ours_) taken.clear(std::memory_order_release);
  }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;
  explicit operator bool() const noexcept { return ours_; }

 private:
  bool ours_;
};

void* allocate(void*, std::size_t size) noexcept {
  if (size == kChunk) {
    const Turn turn;
    if (turn && count > 0) return kept[--count];
  } else if (size <= kLargest) {
    const Turn turn;
    if (turn && last_of_others.size == size)
      return std::exchange(last_of_others, {}).start;
  }
  return below.alloc(below.ctx, size);
}

// What is to be unmapped in the place of `block`, which stays.
Block keep(Block block) noexcept {
  if (block.size != kChunk) return std::exchange(last_of_others, block);
  if (count < kKept) {
    kept[count++] = block.start;
    return {};
  }
  // The oldest goes: a handler may be looking at the newest.
  const Block oldest{kept[0], kChunk};
  for (std::size_t i = 1; i < kKept; ++i) kept[i - 1] = kept[i];
  kept[kKept - 1] = block.start;
  return oldest;
}

void release(void*, void* start, std::size_t size) noexcept {
  Block leaving{start, size};
  if (size <= kLargest) {
    const Turn turn;
    if (turn) leaving = keep(leaving);
  }
  if (leaving.start) below.free(below.ctx, leaving.start, leaving.size);
}

}  // namespace

void keep_stack_chunks() noexcept {
  if (below.alloc) return;
  PyObject_GetArenaAllocator(&below);
  PyObjectArenaAllocator ours{nullptr, allocate, release};
  PyObject_SetArenaAllocator(&ours);
}

}  // namespace celadon::py
