// The memory in which a greenlet's Python frames lie.
//
// CPython maps 16 KiB for each greenlet that runs Python code, of which at least a page
// is resident, and unmaps it with the greenlet: 8 to 14 µs a greenlet, and 4 KiB for a
// view that needs a few hundred bytes. Here the first block comes from malloc and has
// the size that earlier jobs needed. What does not fit goes to CPython's own blocks.
#pragma once

#include <cstddef>

#include "py/python.h"

namespace celadon::py {

class DataStack {
 public:
  DataStack() noexcept = default;
  DataStack(const DataStack&) = delete;
  DataStack& operator=(const DataStack&) = delete;

  static constexpr std::size_t kLeast = 496;  // with malloc's header 512 bytes
  static constexpr std::size_t kMost = 16 * 1024 - 16;  // as CPython's own

  // For the greenlet that runs now, before its first Python frame. Does nothing where
  // this CPython is not known to allow it.
  void install(std::size_t bytes) noexcept;
  // Whether a frame did not fit since it was installed.
  [[nodiscard]] bool outgrown() const noexcept;
  [[nodiscard]] std::size_t size() const noexcept;
  // For the greenlet that runs now, with no Python frame on it any more. CPython must
  // not find the block when the greenlet ends: it would unmap it.
  void remove() noexcept;

 private:
  _PyStackChunk* chunk_ = nullptr;
};

}  // namespace celadon::py
