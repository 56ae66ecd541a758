// The kernel's number of the calling thread. glibc has a function for it since 2.30,
// and wheels are made for older ones.
#pragma once

#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

namespace celadon {

[[nodiscard]] inline pid_t thread_id() noexcept {
  return static_cast<pid_t>(::syscall(SYS_gettid));
}

}  // namespace celadon
