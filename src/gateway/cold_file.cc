#include "gateway/cold_file.h"

#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>

#include "green/hub.h"

namespace celadon::gateway {
namespace {

// Reads through a part of a file on a pool thread, so that the loop finds it in memory.
class WarmFile final : public loop::PoolJob {
 public:
  WarmFile(int fd, off_t offset, std::size_t size, green::Strand& strand) noexcept
      : fd_(fd), offset_(offset), size_(size), strand_(strand) {}
  void run() noexcept override {
    const auto buffer = std::make_unique_for_overwrite<char[]>(size_);
    [[maybe_unused]] const auto n = ::pread(fd_, buffer.get(), size_, offset_);
  }
  void done() noexcept override {
    strand_.granted = true;
    strand_.wake();
  }

 private:
  int fd_;
  off_t offset_;
  std::size_t size_;
  green::Strand& strand_;
};

}  // namespace

// They are read, which alone is sure, to one place again and again: nobody wants them.
std::size_t bytes_in_memory(int file, off_t offset, std::size_t size) noexcept {
  std::array<char, 16384> scratch;
  std::array<iovec, 64> pieces;
  std::size_t found = 0;
  while (found < size) {
    std::size_t asked = 0;
    std::size_t count = 0;
    for (; count < pieces.size() && found + asked < size; ++count) {
      const std::size_t part = std::min(scratch.size(), size - found - asked);
      pieces[count] = {scratch.data(), part};
      asked += part;
    }
    const ssize_t n = ::preadv2(file, pieces.data(), static_cast<int>(count),
                                offset + static_cast<off_t>(found), RWF_NOWAIT);
    if (n < 0) return errno == EAGAIN ? found : size;
    if (n == 0) return size;
    found += static_cast<std::size_t>(n);
  }
  return found;
}

bool warm_up(int file, off_t offset, std::size_t size) noexcept {
  if (!green::can_park()) return true;
  green::Strand& strand = *green::current_strand();
  // Shielded: the pool thread holds on to this strand.
  strand.granted = false;
  auto job = std::make_unique<WarmFile>(file, offset, size, strand);
  if (!strand.hub().pool().submit(std::move(job))) return true;
  return strand.hub().park(strand, kNever, green::ParkReason::Fd, true) !=
         green::Waited::Interrupted;
}

}  // namespace celadon::gateway
