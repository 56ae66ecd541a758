#include "green/file_locks.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <climits>
#include <cstddef>
#include <cstdio>

namespace celadon::green {
namespace {

// "1: FLOCK ADVISORY WRITE 42 08:01:77 0 EOF"; who waits for it follows with "->".
constexpr std::size_t kPidWord = 4;
constexpr std::size_t kFileWord = 5;
constexpr std::string_view kWaits = "->";

std::string_view word_of(std::string_view line, std::size_t number) noexcept {
  for (std::size_t at = 0;; ++at) {
    line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
    const std::string_view word = line.substr(0, line.find(' '));
    if (at == number || word.empty()) return word;
    line.remove_prefix(word.size());
  }
}

pid_t pid_of(std::string_view word) noexcept {
  pid_t pid = 0;
  std::from_chars(word.data(), word.data() + word.size(), pid);
  return pid;
}

std::string read_whole(const char* path) noexcept {
  std::string text;
  const int fd = ::open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return text;
  std::array<char, 4096> part{};
  for (ssize_t n = 0; (n = ::read(fd, part.data(), part.size())) > 0;)
    text.append(part.data(), static_cast<std::size_t>(n));
  ::close(fd);
  return text;
}

// As /proc/locks writes it.
std::string name_of(const struct stat& file) {
  std::array<char, 64> text{};
  const int size =
      ::snprintf(text.data(), text.size(), "%02x:%02x:%lu", major(file.st_dev),
                 minor(file.st_dev), static_cast<unsigned long>(file.st_ino));
  return {text.data(), static_cast<std::size_t>(size)};
}

// Where this process has it open; else what /proc/locks calls it.
std::string path_of(std::string_view file) {
  std::string found(file);
  DIR* const open_files = ::opendir("/proc/self/fd");
  const int folder = open_files ? ::dirfd(open_files) : -1;
  if (folder < 0) return found;
  while (const dirent* entry = ::readdir(open_files)) {
    struct stat status{};
    std::array<char, PATH_MAX> path{};
    if (::fstatat(folder, entry->d_name, &status, 0) != 0 || name_of(status) != file)
      continue;
    const ssize_t size = ::readlinkat(folder, entry->d_name, path.data(), path.size());
    if (size > 0) found.assign(path.data(), static_cast<std::size_t>(size));
    break;
  }
  ::closedir(open_files);
  return found;
}

}  // namespace

std::string_view holders_line(std::string_view locks, pid_t waiter) noexcept {
  std::string_view holder;
  while (!locks.empty()) {
    const std::string_view line = locks.substr(0, locks.find('\n'));
    locks.remove_prefix(std::min(line.size() + 1, locks.size()));
    if (word_of(line, 1) != kWaits) {
      holder = line;
    } else if (pid_of(word_of(line, kPidWord + 1)) == waiter) {
      return holder;
    }
  }
  return {};
}

std::string describe_file_wait() noexcept {
  const std::string locks = read_whole("/proc/locks");
  const std::string_view line = holders_line(locks, ::getpid());
  if (line.empty()) return {};
  const pid_t holder = pid_of(word_of(line, kPidWord));
  std::string text =
      "it waits for a lock of " + path_of(word_of(line, kFileWord)) + ", which ";
  if (holder == ::getpid()) {
    text += "this process itself holds, by another greenlet or thread";
  } else if (holder > 0) {
    text += "process " + std::to_string(holder) + " holds";
  } else {
    text += "another process holds";
  }
  return text + "\n";
}

}  // namespace celadon::green
