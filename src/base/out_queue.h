// Bytes on their way out, in order. A chunk is either copied in (small ones share a
// block) or held by reference with an owner that is released once it has been sent.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <deque>
#include <span>
#include <string>
#include <string_view>

namespace celadon {

// Keeps foreign memory alive. Releasing must not run arbitrary code.
struct Owner {
  void* object = nullptr;
  void (*release)(void*) noexcept = nullptr;
};

class OutQueue {
 public:
  OutQueue() = default;
  OutQueue(const OutQueue&) = delete;
  OutQueue& operator=(const OutQueue&) = delete;
  ~OutQueue() { clear(); }

  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }
  [[nodiscard]] bool empty() const noexcept { return bytes_ == 0; }

  void append_copy(std::string_view data);
  // Takes the owner over in every case, also when `data` is empty.
  void append_owned(std::string_view data, Owner owner);

  // Fills `out` with the first chunks; returns how many.
  [[nodiscard]] std::size_t gather(std::span<iovec> out) const noexcept;
  // Drops the first `n` bytes, which were sent.
  void consume(std::size_t n) noexcept;
  void clear() noexcept;

 private:
  struct Chunk {
    std::string copied;
    std::string_view view;
    Owner owner;
    [[nodiscard]] std::string_view data() const noexcept {
      return owner.release ? view : std::string_view(copied);
    }
  };
  static constexpr std::size_t kBlock = 16 * 1024;
  static constexpr std::size_t kFirst = 4096;  // room for a few answers
  void drop_front() noexcept;

  std::deque<Chunk> chunks_;
  std::size_t offset_ = 0;  // sent bytes of the first chunk
  std::size_t bytes_ = 0;
};

}  // namespace celadon
