// Standard output and error that nobody has to wait for.
//
//   print(), logging ─► descriptor 1 or 2: a pipe ─► relay thread ─► what it was before
//
// A reader that stops reading must not stop a loop. So where a descriptor is a pipe or
// a socket, a pipe of ours takes its place, which a thread empties into a bounded
// buffer; what does not fit is lost, and counted in the stream itself. The thread is
// the master's: what a worker wrote before it died is in the pipe. Workers keep both
// ends, and a thread that goes on where the master is gone: their loop may wait for
// room in the pipe by then. Where no thread can be started the descriptors stay, or
// become again, what they were.
#pragma once

#include <sys/types.h>

#include <array>
#include <atomic>
#include <memory>
#include <optional>
#include <string>

#include "base/line_file.h"
#include "loop/thread.h"
#include "net/owned_fd.h"

namespace celadon::module {

class StdioRelay {
 public:
  StdioRelay() noexcept = default;
  ~StdioRelay() { stop(); }
  StdioRelay(const StdioRelay&) = delete;
  StdioRelay& operator=(const StdioRelay&) = delete;

  // From now on; what cannot block is left alone.
  void start() noexcept;
  // Puts the descriptors back and writes what is there, for a moment.
  void stop() noexcept;
  // In a fork whose parent goes on; once it is gone, this process relays.
  void settle_in_child() noexcept;
  // The parent is gone, for a kernel that does not tell.
  void take_over() noexcept;
  // What descriptor 1 or 2 was.
  [[nodiscard]] int original(int standard) const noexcept;

 private:
  struct Stream {
    int standard = -1;
    net::OwnedFd before;  // what it was
    net::OwnedFd in;      // the pipe's end to read from
    std::optional<LineFile> out;
    std::string waiting;
    std::uint64_t lost = 0;  // lines

    [[nodiscard]] bool open(int standard_fd) noexcept;
    [[nodiscard]] bool open_out() noexcept;
    void close() noexcept;
    [[nodiscard]] bool is_ours() const noexcept;
    void read() noexcept;
    void write() noexcept;
  };

  [[nodiscard]] bool begin() noexcept;
  void put_back() noexcept;
  [[nodiscard]] bool open_out() noexcept;
  void succeed(pid_t master) noexcept;
  [[nodiscard]] bool outlives_master() const noexcept;
  [[nodiscard]] bool master_lives() const noexcept;
  void end_thread() noexcept;
  void run() noexcept;
  void flush() noexcept;

  static constexpr std::size_t kBuffer = std::size_t{1} << 20;
  static constexpr int kLastMoment = 1000;  // ms

  std::array<Stream, 2> streams_;
  net::OwnedFd wake_;
  net::OwnedFd master_;  // a worker's: it becomes readable once that ends
  std::atomic<bool> succeeded_ = false;  // and it has
  std::atomic<bool> stopping_ = false;
  loop::Thread thread_;
  pid_t owner_ = 0;  // whose thread it is
};

// The one of this process.
[[nodiscard]] StdioRelay& stdio_relay() noexcept;

}  // namespace celadon::module
