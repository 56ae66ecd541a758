#include "base/shared_memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <vector>

#include "base/assert.h"

namespace celadon {

SharedMemory SharedMemory::make(std::size_t bytes) noexcept {
  SharedMemory shared;
  const int fd = ::memfd_create("celadon", MFD_CLOEXEC);
  if (fd < 0) return shared;
  if (::ftruncate(fd, static_cast<off_t>(bytes)) == 0) {
    void* memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory != MAP_FAILED) {
      shared.memory_ = memory;
      shared.bytes_ = bytes;
    }
  }
  ::close(fd);
  return shared;
}

SharedMemory::~SharedMemory() {
  if (memory_) ::munmap(memory_, bytes_);
}

void SharedMemory::make_private() noexcept {
  const auto* bytes = static_cast<const std::byte*>(memory_);
  const std::vector<std::byte> copy(bytes, bytes + bytes_);
  constexpr int kFlags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
  void* memory = ::mmap(memory_, bytes_, PROT_READ | PROT_WRITE, kFlags, -1, 0);
  CHECK(memory == memory_, "no memory for a copy of shared memory");
  std::memcpy(memory_, copy.data(), copy.size());
}

}  // namespace celadon
