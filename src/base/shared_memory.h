// Zeroed memory that every process shares which is forked later.
#pragma once

#include <cstddef>
#include <utility>

namespace celadon {

class SharedMemory {
 public:
  SharedMemory() noexcept = default;
  // Empty where the kernel gives none. Pages take room once they are written to.
  [[nodiscard]] static SharedMemory make(std::size_t bytes) noexcept;
  SharedMemory(SharedMemory&& other) noexcept
      : memory_(std::exchange(other.memory_, nullptr)),
        bytes_(std::exchange(other.bytes_, 0)) {}
  SharedMemory& operator=(SharedMemory&& other) noexcept {
    std::swap(memory_, other.memory_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  ~SharedMemory();

  // From now on what this process writes there is its own; the address stays.
  void make_private() noexcept;
  [[nodiscard]] void* get() const noexcept { return memory_; }
  [[nodiscard]] explicit operator bool() const noexcept { return memory_ != nullptr; }

 private:
  void* memory_ = nullptr;
  std::size_t bytes_ = 0;
};

}  // namespace celadon
