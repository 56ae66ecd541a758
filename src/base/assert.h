// CHECK ends the process in every build with its reason in words; ASSERT only where
// NDEBUG is off. Both are for errors of the programmer, never of a peer.
#pragma once

namespace celadon {
[[noreturn]] void fatal(const char* reason, const char* file, int line) noexcept;
}

#define CHECK(condition, reason)                    \
  do {                                              \
    if (!(condition)) [[unlikely]]                  \
      ::celadon::fatal(reason, __FILE__, __LINE__); \
  } while (false)

#ifdef NDEBUG
#define ASSERT(condition, reason) static_cast<void>(0)
#else
#define ASSERT(condition, reason) CHECK(condition, reason)
#endif
