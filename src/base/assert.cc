#include "base/assert.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>

namespace celadon {

void fatal(const char* reason, const char* file, int line) noexcept {
  char text[512];
  const int n = std::snprintf(text, sizeof text, "celadon: fatal: %s (%s:%d)\n", reason,
                              file, line);
  // Nothing can be done about a failed write on the way out.
  [[maybe_unused]] auto r = ::write(2, text, static_cast<std::size_t>(n < 0 ? 0 : n));
  std::abort();
}

}  // namespace celadon
