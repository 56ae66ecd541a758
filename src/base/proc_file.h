// Small files of /proc.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>

namespace celadon {

// The first kilobytes of /proc/PID/NAME; empty where there is no such thing.
[[nodiscard]] std::string read_proc(pid_t pid, std::string_view name);

}  // namespace celadon
