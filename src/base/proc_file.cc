#include "base/proc_file.h"

#include <fcntl.h>
#include <unistd.h>

namespace celadon {

std::string read_proc(pid_t pid, std::string_view name) {
  const std::string path = "/proc/" + std::to_string(pid) + "/" + std::string(name);
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return {};
  char text[4096];
  const ssize_t n = ::read(fd, text, sizeof text);
  ::close(fd);
  return {text, n < 0 ? 0 : static_cast<std::size_t>(n)};
}

}  // namespace celadon
