// What lies on the C stack below Python code: whether somebody there may hold a native
// lock, and would hold it for all greenlets of the thread if one were parked.
#pragma once

namespace celadon::green {

// True if, from here up to `base`, there is only code of the interpreter, of ours, and
// of libraries that take no native lock. False also where the stack cannot be read.
[[nodiscard]] bool c_stack_holds_no_lock(const void* base) noexcept;

}  // namespace celadon::green
