// A log file, pipe or socket that takes whole lines. Nobody waits for one that is full
// for longer than they say: its descriptor does not block, and no other process finds
// its own changed.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/error.h"

namespace celadon {

class LineFile {
 public:
  // `path` is opened for appending. "-" is `standard`, a descriptor that stays open.
  [[nodiscard]] static std::expected<LineFile, Error> open(std::string path,
                                                           int standard = 1);
  LineFile(LineFile&& other) noexcept;
  LineFile& operator=(LineFile&&) = delete;
  ~LineFile() { close(); }

  // Writes of `first` and then `second`, which end with a line together, what it takes
  // at once. Lines of several processes do not mix: a file is written to in one piece,
  // a pipe in pieces of at most PIPE_BUF bytes, of which this is one. How many bytes of
  // them were written, 0 where it is full; Failed: an error, other than that.
  struct Written {
    std::size_t bytes = 0;
    bool failed = false;
  };
  [[nodiscard]] Written write(std::string_view first,
                              std::string_view second = {}) noexcept;
  // Until it takes more, or so long. False: it does not.
  [[nodiscard]] bool wait(int ms) const noexcept;
  // Writes all of `text`, and waits up to `wait_ms` in all for a reader.
  [[nodiscard]] Written write_all(std::string_view text, int wait_ms) noexcept;
  // Opens the file again, after a rotation. False: the old one is kept.
  bool reopen() noexcept;
  void close() noexcept;
  [[nodiscard]] int fd() const noexcept { return fd_; }

 private:
  enum class Kind : std::uint8_t { File, Pipe, Socket };
  LineFile(int fd, std::string path, Kind kind) noexcept
      : fd_(fd), path_(std::move(path)), kind_(kind) {}
  [[nodiscard]] ssize_t put(std::string_view first, std::string_view second) noexcept;

  int fd_ = -1;
  std::string path_;
  Kind kind_ = Kind::File;
  bool torn_ = false;  // the last write ended within a line
};

// How long is waited for a reader, in all, from the first time on.
class Patience {
 public:
  explicit Patience(int wait_ms) noexcept : wait_ms_(wait_ms) {}
  // False: it is over.
  [[nodiscard]] bool wait_for(const LineFile& file) noexcept;

 private:
  const int wait_ms_;
  Nanos end_ = kNever;
};

}  // namespace celadon
