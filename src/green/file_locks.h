// Who holds the lock on a file that this process waits for, as the kernel has it.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>

namespace celadon::green {

// From the text of /proc/locks: the line of the holder that `waiter` waits for, or
// empty.
[[nodiscard]] std::string_view holders_line(std::string_view locks,
                                            pid_t waiter) noexcept;

// A line for a report, with its end; empty where no file is waited for.
[[nodiscard]] std::string describe_file_wait() noexcept;

}  // namespace celadon::green
