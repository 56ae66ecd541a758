// Bytes on their way out, in order. A chunk is either copied in (small ones share a
// block) or held by reference with an owner that is released once it has been sent.
// An empty queue keeps what it needs for its next bytes: a place for chunks, a block.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/free_list.h"

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
  // For so many chunks it has a place.
  [[nodiscard]] std::size_t places() const noexcept { return chunks_.capacity(); }

  void append_copy(std::string_view data);
  // Takes the owner over in every case, also when `data` is empty.
  void append_owned(std::string_view data, Owner owner);

  // Fills `out` with the first chunks; returns how many.
  [[nodiscard]] std::size_t gather(std::span<iovec> out) const noexcept;
  // Drops the first `n` bytes, which were sent.
  void consume(std::size_t n) noexcept;
  // Likewise, by another thread: they are out of the queue, but what they lie in and
  // its owners stay until something is consumed here, or all of it goes.
  void pass_over(std::size_t n) noexcept;
  void clear() noexcept;
  // As new, for others; keeps memory that is cheap to keep.
  void reset() noexcept;

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
  static constexpr std::size_t kManyLeft = 64;
  [[nodiscard]] std::span<const Chunk> chunks() const noexcept {
    return std::span(chunks_).subspan(first_);
  }
  [[nodiscard]] Chunk& front() noexcept { return chunks_[first_]; }
  void drop_front() noexcept;
  void add_block(std::string_view data);

  std::vector<Chunk> chunks_;
  std::size_t first_ = 0;   // the chunks before it have left
  std::size_t offset_ = 0;  // sent bytes of the first chunk
  std::size_t passed_ = 0;  // bytes behind them that were passed over
  std::size_t bytes_ = 0;
  std::string spare_;  // a block that has left
};

// Queues for those that need one for a moment: answers of a turn do not go through
// malloc one by one.
class OutPool {
 public:
  [[nodiscard]] std::unique_ptr<OutQueue> take();
  // Takes what is in it back to its owners.
  void put(std::unique_ptr<OutQueue> queue) noexcept;
  [[nodiscard]] FreeList<OutQueue>& free_list() noexcept { return free_; }
  [[nodiscard]] const FreeList<OutQueue>& free_list() const noexcept { return free_; }

 private:
  FreeList<OutQueue> free_{32};
};

}  // namespace celadon
