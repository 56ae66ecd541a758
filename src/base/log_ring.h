// Whole lines on their way from a loop to the thread that writes them: bytes in a ring
// with one writer and one reader.
//
// The memory may be shared between processes: what a killed one left can still be read
// by another. Only published lines are seen.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <utility>

namespace celadon {

class LogRing {
 public:
  // Bytes that a ring for `capacity` bytes of lines takes.
  [[nodiscard]] static constexpr std::size_t footprint(std::size_t capacity) noexcept {
    return sizeof(Shared) + capacity;
  }
  LogRing() noexcept = default;
  // In memory of that size, aligned to a cache line, which outlives the ring; zeros are
  // an empty ring.
  LogRing(void* memory, std::size_t capacity) noexcept
      : shared_(static_cast<Shared*>(memory)),
        bytes_(static_cast<char*>(memory) + sizeof(Shared)),
        capacity_(capacity) {}

  // --- the writer's ---

  // False, and counted: there is no room.
  [[nodiscard]] bool put(std::string_view line) noexcept {
    if (!has_room(line.size())) {
      drop(1);
      return false;
    }
    const std::uint64_t read = shared_->read.load(std::memory_order_acquire);
    std::uint64_t at = shared_->written.load(std::memory_order_relaxed);
    if (read == at && at % capacity_ != 0) at = start_over(at);
    const std::size_t offset = at % capacity_;
    const std::size_t first = std::min(line.size(), capacity_ - offset);
    std::memcpy(bytes_ + offset, line.data(), first);
    std::memcpy(bytes_, line.data() + first, line.size() - first);
    shared_->written.store(at + line.size(), std::memory_order_release);
    return true;
  }
  [[nodiscard]] std::size_t capacity() const noexcept { return capacity_; }
  [[nodiscard]] bool has_room(std::size_t bytes) const noexcept {
    const std::uint64_t used = shared_->written.load(std::memory_order_relaxed) -
                               shared_->read.load(std::memory_order_acquire);
    return bytes <= capacity_ - used;
  }

  // --- the reader's ---

  // What can be taken, the second part where it goes around the end. It ends with the
  // end of a line.
  [[nodiscard]] std::pair<std::string_view, std::string_view> peek() const noexcept {
    const std::uint64_t end = shared_->written.load(std::memory_order_acquire);
    const std::uint64_t at = shared_->read.load(std::memory_order_relaxed);
    if (at >= end) return {};
    const auto size = static_cast<std::size_t>(end - at);
    const std::size_t offset = at % capacity_;
    const std::size_t first = std::min(size, capacity_ - offset);
    return {{bytes_ + offset, first}, {bytes_, size - first}};
  }
  void take(std::size_t bytes) noexcept {
    shared_->read.fetch_add(bytes, std::memory_order_release);
  }

  // --- anyone's ---

  void drop(std::uint64_t lines) noexcept {
    shared_->dropped.fetch_add(lines, std::memory_order_relaxed);
  }
  // Lines that were lost: for want of room, or because they could not be written.
  [[nodiscard]] std::uint64_t dropped() const noexcept {
    return shared_->dropped.load(std::memory_order_relaxed);
  }
  [[nodiscard]] explicit operator bool() const noexcept { return shared_ != nullptr; }

 private:
  static constexpr std::size_t kLine = 64;  // bytes of a cache line
  struct Shared {
    alignas(kLine) std::atomic<std::uint64_t> written;
    std::atomic<std::uint64_t> dropped;
    alignas(kLine) std::atomic<std::uint64_t> read;
  };

  // An empty ring begins at its first byte, so that a reader who keeps up leaves most
  // of the memory untouched. The reader never sees more than there is in between.
  [[nodiscard]] std::uint64_t start_over(std::uint64_t at) noexcept {
    at += capacity_ - at % capacity_;
    shared_->read.store(at, std::memory_order_release);
    return at;
  }

  Shared* shared_ = nullptr;
  char* bytes_ = nullptr;
  std::size_t capacity_ = 0;
};

}  // namespace celadon
