#include "sim/memory.h"

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

namespace celadon::sim::memory {
namespace {

// One thread runs all of it.
bool inside = false;
std::size_t live_bytes = 0;

struct alignas(std::max_align_t) Header {
  std::size_t size;
  std::size_t counted;  // 0: not the server's
};

void* allocate(std::size_t size) noexcept {
  auto* header = static_cast<Header*>(std::malloc(sizeof(Header) + size));
  if (!header) std::abort();
  header->size = size;
  header->counted = inside ? size : 0;
  live_bytes += header->counted;
  return header + 1;
}

void release(void* memory) noexcept {
  if (!memory) return;
  auto* header = static_cast<Header*>(memory) - 1;
  live_bytes -= header->counted;
  // Whoever still looks at it finds nothing that makes sense.
  std::memset(memory, 0xdd, header->size);
  std::free(header);
}

}  // namespace

std::size_t live() noexcept {
  return live_bytes;
}

Inside::Inside() noexcept : before_(std::exchange(inside, true)) {}
Inside::~Inside() {
  inside = before_;
}
Outside::Outside() noexcept : before_(std::exchange(inside, false)) {}
Outside::~Outside() {
  inside = before_;
}

}  // namespace celadon::sim::memory

void* operator new(std::size_t size) {
  return celadon::sim::memory::allocate(size);
}
void* operator new[](std::size_t size) {
  return celadon::sim::memory::allocate(size);
}
void operator delete(void* memory) noexcept {
  celadon::sim::memory::release(memory);
}
void operator delete[](void* memory) noexcept {
  celadon::sim::memory::release(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  celadon::sim::memory::release(memory);
}
void operator delete[](void* memory, std::size_t) noexcept {
  celadon::sim::memory::release(memory);
}
