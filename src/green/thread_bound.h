// C++ libraries that keep a stack of their own with the thread: each call pushes and
// pops, and ends the process where it does not find what it pushed. Below one of their
// calls nothing may switch: a callback that waits there holds the loop.
#pragma once

#include <atomic>

namespace celadon::green {

// Looks at what was loaded since. Whoever loads an extension module calls it.
void look_at_loaded() noexcept;

extern std::atomic<bool> any_thread_bound;
[[nodiscard]] bool find_thread_bound(const void* base) noexcept;

// Whether the C stack between here and `base` holds such a call. Says so once for each
// library, with the line of Python that is concerned.
[[nodiscard]] inline bool is_below_thread_bound(const void* base) noexcept {
  return any_thread_bound.load(std::memory_order_relaxed) && find_thread_bound(base);
}

}  // namespace celadon::green
