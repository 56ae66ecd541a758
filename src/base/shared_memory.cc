#include "base/shared_memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <utility>
#include <vector>

#include "base/assert.h"

namespace celadon {
namespace {

constexpr std::size_t kPage = 4096;
using Page = std::array<std::byte, kPage>;

// Those that were never written to would be made by being read.
std::vector<std::pair<std::size_t, Page>> copy_of_written(std::byte* memory,
                                                          std::size_t pages) noexcept {
  std::vector<unsigned char> resident(pages, 1);
  if (::mincore(memory, pages * kPage, resident.data()) < 0) resident.assign(pages, 1);
  std::vector<std::pair<std::size_t, Page>> copies;
  for (std::size_t i = 0; i < pages; ++i) {
    if ((resident[i] & 1) == 0) continue;
    copies.emplace_back(i, Page{});
    std::memcpy(copies.back().second.data(), memory + i * kPage, kPage);
  }
  return copies;
}

}  // namespace

// No file, whose size a limit of the process may forbid.
SharedMemory SharedMemory::make(std::size_t bytes) noexcept {
  SharedMemory shared;
  bytes = (bytes + kPage - 1) / kPage * kPage;
  constexpr int kFlags = MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE;
  void* memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, kFlags, -1, 0);
  if (memory == MAP_FAILED) return shared;
  shared.memory_ = memory;
  shared.bytes_ = bytes;
  return shared;
}

SharedMemory::~SharedMemory() {
  if (memory_) ::munmap(memory_, bytes_);
}

void SharedMemory::make_private() noexcept {
  if (!memory_) return;
  auto* bytes = static_cast<std::byte*>(memory_);
  const auto copies = copy_of_written(bytes, bytes_ / kPage);
  constexpr int kFlags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE;
  void* memory = ::mmap(memory_, bytes_, PROT_READ | PROT_WRITE, kFlags, -1, 0);
  CHECK(memory == memory_, "no memory for a copy of shared memory");
  for (const auto& [at, page] : copies) {
    std::memcpy(bytes + at * kPage, page.data(), kPage);
  }
}

}  // namespace celadon
