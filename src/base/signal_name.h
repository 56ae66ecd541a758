// What a signal is called: "SIGTERM". glibc knows it since 2.32, and wheels are made
// for older ones.
#pragma once

#include <string>

namespace celadon {

// "signal 34" for one that has a number alone.
[[nodiscard]] std::string signal_name(int signo);

}  // namespace celadon
