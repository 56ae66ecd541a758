// The access log: gunicorn's atoms, compiled once, rendered natively, written by a
// thread of its own in whole lines. A full buffer drops lines and counts them.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <expected>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "http/request.h"
#include "http/response.h"
#include "net/address.h"

namespace celadon::server {

// One finished request, as views that live as long as the call.
struct AccessRecord {
  const net::Address* peer = nullptr;
  const http::Request* request = nullptr;  // null for a request that was refused unread
  std::span<const http::HeaderView> response_headers;
  int status = 0;
  std::uint64_t bytes = 0;
  Nanos duration = 0;
};

class AccessFormat {
 public:
  // The text of a gunicorn access_log_format; unknown atoms print "-".
  static AccessFormat compile(std::string_view format);
  void render(const AccessRecord& record, std::int64_t unix_seconds,
              std::string& out) const;
  // True where an atom needs the response's headers.
  [[nodiscard]] bool wants_response_headers() const noexcept { return wants_response_; }

 private:
  struct Atom {
    char kind;         // 0: literal text
    std::string text;  // the literal, or the name in {...}, lower-case
  };
  void render_atom(const Atom& atom, const AccessRecord& record, std::int64_t now,
                   std::string& out) const;
  std::vector<Atom> atoms_;
  bool wants_response_ = false;
};

class AccessLog {
 public:
  // `path`: a file, or "-" for standard output.
  static std::expected<std::unique_ptr<AccessLog>, Error> open(const std::string& path,
                                                               std::string_view format);
  ~AccessLog();  // writes what is left
  AccessLog(const AccessLog&) = delete;
  AccessLog& operator=(const AccessLog&) = delete;

  void write(const AccessRecord& record, Clock& clock);
  // Hands what was written to the thread: once a turn, so that a busy server wakes it
  // once for many lines.
  void publish();
  [[nodiscard]] const AccessFormat& format() const noexcept { return format_; }
  [[nodiscard]] std::uint64_t dropped() const noexcept { return dropped_; }
  // Opens the file again, after a rotation.
  void reopen();
  // After a fork, in the child: the thread is the parent's.
  void abandon() noexcept;

 private:
  AccessLog(int fd, std::string path, AccessFormat format);
  void run() noexcept;
  void write_out(std::string_view text) noexcept;

  static constexpr std::size_t kCapacity = std::size_t{4} << 20;  // log_ring

  const AccessFormat format_;
  const std::string path_;
  int fd_;               // the writer thread's
  std::string pending_;  // the loop's
  std::uint64_t dropped_ = 0;
  std::mutex mutex_;
  std::condition_variable wanted_;
  std::string shared_;     // guarded by mutex_
  bool stopping_ = false;  // guarded by mutex_
  bool reopen_ = false;    // guarded by mutex_
  std::thread thread_;
};

}  // namespace celadon::server
