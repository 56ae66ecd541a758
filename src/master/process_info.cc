#include "master/process_info.h"

#include <unistd.h>

#include <charconv>
#include <string_view>

#include "base/proc_file.h"

namespace celadon::master {

std::uint64_t resident_bytes(pid_t pid) noexcept {
  const std::string text = read_proc(pid, "statm");
  const std::size_t second = text.find(' ');
  if (second == text.npos) return 0;
  std::uint64_t pages = 0;
  const char* begin = text.data() + second + 1;
  if (std::from_chars(begin, text.data() + text.size(), pages).ec != std::errc{})
    return 0;
  return pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

std::string describe_state(pid_t pid) {
  const std::string status = read_proc(pid, "status");
  constexpr std::string_view kState = "State:\t";
  const std::size_t at = status.find(kState);
  if (at == status.npos) return "not in /proc";
  const std::size_t begin = at + kState.size();
  std::string text = "state " + status.substr(begin, status.find('\n', at) - begin);
  const std::string where = read_proc(pid, "wchan");
  if (where.size() > 1) text += ", in " + where;
  return text;
}

}  // namespace celadon::master
