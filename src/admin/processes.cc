#include "admin/processes.h"

#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

#include <charconv>
#include <string>
#include <string_view>

#include "base/proc_file.h"

namespace celadon::admin {
namespace {

// Fields of /proc/PID/stat behind the name, counted from 0 (proc(5)).
constexpr int kUserTime = 11;
constexpr int kSystemTime = 12;
constexpr int kResident = 21;

std::uint64_t number_at(std::string_view fields, int index) noexcept {
  for (int i = 0; i < index; ++i) {
    const std::size_t space = fields.find(' ');
    if (space == fields.npos) return 0;
    fields.remove_prefix(space + 1);
  }
  std::uint64_t value = 0;
  std::from_chars(fields.data(), fields.data() + fields.size(), value);
  return value;
}

std::uint64_t count_entries(const std::string& path) noexcept {
  DIR* folder = ::opendir(path.c_str());
  if (!folder) return 0;
  std::uint64_t count = 0;
  while (const dirent* entry = ::readdir(folder)) {
    if (entry->d_name[0] != '.') ++count;
  }
  ::closedir(folder);
  return count;
}

}  // namespace

ProcessUse use_of(pid_t pid) noexcept {
  const std::string stat = read_proc(pid, "stat");
  const std::size_t name_end = stat.rfind(") ");
  if (name_end == stat.npos) return {};
  const std::string_view fields = std::string_view(stat).substr(name_end + 2);
  const auto ticks = static_cast<double>(::sysconf(_SC_CLK_TCK));
  ProcessUse use;
  use.cpu = static_cast<double>(number_at(fields, kUserTime) +
                                number_at(fields, kSystemTime)) /
            ticks;
  use.resident = number_at(fields, kResident) *
                 static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  use.descriptors = count_entries("/proc/" + std::to_string(pid) + "/fd");
  return use;
}

std::uint64_t descriptor_limit() noexcept {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_cur;
}

}  // namespace celadon::admin
