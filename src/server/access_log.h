// The access log: lines that a thread of its own writes, off the loop, or that go to
// someone else. A full ring drops lines and counts them. Where no thread can be started
// the loop writes them itself, as far as that does not wait.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/line_file.h"
#include "base/log_ring.h"
#include "loop/thread.h"
#include "server/access_format.h"

namespace celadon::server {

// Which requests get no line. Server errors, and requests that were cut short, always
// get one.
struct AccessFilter {
  double sample = 1.0;            // share of requests
  Nanos slow = 0;                 // only those that took at least as long
  int min_status = 0;             // only those answered with at least that
  std::vector<std::string> skip;  // paths
  [[nodiscard]] bool passes(const AccessRecord& record,
                            std::uint32_t dice) const noexcept;
};

// Who takes lines instead of a file.
class AccessSink {
 public:
  virtual ~AccessSink() = default;
  virtual void take_line(std::string_view line) noexcept = 0;  // without its end
};

class AccessLog {
 public:
  struct Options {
    AccessFilter filter;
    bool block = false;  // a full ring is waited for, else the line is lost
  };
  // `ring`: empty for one of its own.
  AccessLog(AccessFormat format, Options options, LineFile file, LogRing ring);
  AccessLog(AccessFormat format, Options options, AccessSink& sink);
  ~AccessLog();  // writes what is left, for a moment
  AccessLog(const AccessLog&) = delete;
  AccessLog& operator=(const AccessLog&) = delete;

  // `wall`: when it ended, since 1970.
  void write(const AccessRecord& record, Nanos wall);
  // Hands what was written to the thread: once a turn, so that a busy server wakes it
  // once for many lines.
  void publish();
  // There was no room for a thread: the loop writes.
  [[nodiscard]] bool burdens_loop() const noexcept {
    return ring_ && !thread_.started();
  }
  [[nodiscard]] const AccessFormat& format() const noexcept { return format_; }
  // Lines lost since it was asked for the last time.
  [[nodiscard]] std::uint64_t take_dropped() noexcept;
  // Opens the file again, after a rotation.
  void reopen();
  // After a fork, in the child: the thread is the parent's.
  void abandon() noexcept;

  static constexpr std::size_t kCapacity = std::size_t{4} << 20;  // of its own ring

 private:
  // What the thread is asked for; bits.
  static constexpr std::uint32_t kLines = 1;
  static constexpr std::uint32_t kReopen = 2;
  static constexpr std::uint32_t kStop = 4;
  void order(std::uint32_t what) noexcept;
  void run(LineFile& file) noexcept;
  [[nodiscard]] bool write_out(LineFile& file, int wait_ms) noexcept;
  void lose_all() noexcept;
  void put(std::string_view line) noexcept;
  // That the loop writes itself, if it does.
  [[nodiscard]] LineFile* loops_file() noexcept {
    return burdens_loop() && file_ ? &*file_ : nullptr;
  }

  const AccessFormat format_;
  const Options options_;
  AccessSink* const sink_ = nullptr;
  std::unique_ptr<std::byte[]> own_memory_;
  LogRing ring_;                  // from the loop to the thread
  std::optional<LineFile> file_;  // the thread's, where there is one
  std::string line_;
  bool unpublished_ = false;
  std::uint64_t dropped_seen_ = 0;
  std::uint32_t dice_ = 0x9e3779b9;
  std::atomic<std::uint32_t> orders_ = 0;
  loop::Thread thread_;
};

}  // namespace celadon::server
