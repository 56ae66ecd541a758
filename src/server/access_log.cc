#include "server/access_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <ctime>
#include <new>
#include <utility>

#include "base/log.h"
#include "loop/signals_blocked.h"

namespace celadon::server {
namespace {

void append_int(std::string& out, std::int64_t value) {
  char digits[24];
  out.append(digits, std::to_chars(digits, digits + sizeof digits, value).ptr);
}

// "[10/Oct/2000:13:55:36 +0000]", rendered once a second per thread.
void append_time(std::string& out, std::int64_t now) {
  struct Cache {
    std::int64_t second = -1;
    std::string text;
  };
  static thread_local Cache cache;
  if (cache.second != now) {
    const auto at = static_cast<std::time_t>(now);
    std::tm local{};
    ::localtime_r(&at, &local);
    static constexpr char kMonths[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    // %b would follow the locale.
    char day[8];
    char rest[32];
    std::strftime(day, sizeof day, "[%d/", &local);
    std::strftime(rest, sizeof rest, "/%Y:%H:%M:%S %z]", &local);
    const std::string_view month(kMonths + std::ptrdiff_t{3} * local.tm_mon, 3);
    cache = {now, day + std::string(month) + rest};
  }
  out += cache.text;
}

void append_or_dash(std::string& out, std::string_view text) {
  if (text.empty()) {
    out += '-';
  } else {
    append_escaped(out, text);
  }
}

void append_fixed(std::string& out, std::int64_t whole, std::int64_t fraction) {
  append_int(out, whole);
  const std::string digits = std::to_string(1'000'000 + fraction);  // keeps its zeros
  out += '.';
  out += std::string_view(digits).substr(1);
}

std::string_view request_header(const AccessRecord& record, std::string_view name) {
  if (!record.request) return {};
  for (const http::Field& field : record.request->fields) {
    if (http::equals_ignoring_case(record.request->name(field), name)) {
      return record.request->value(field);
    }
  }
  return {};
}

std::string_view response_header(const AccessRecord& record, std::string_view name) {
  for (const http::HeaderView& header : record.response_headers) {
    if (http::equals_ignoring_case(header.name, name)) return header.value;
  }
  return {};
}

std::string_view method_of(const AccessRecord& record) {
  return record.request ? record.request->text(record.request->method) : "";
}

void append_user(std::string& out, const AccessRecord& record) {
  // Only the name part of Basic credentials would be of interest, and it is the
  // application's to know whether they were right: gunicorn's atom prints "-" then.
  static_cast<void>(record);
  out += '-';
}

void append_protocol(std::string& out, const AccessRecord& record) {
  out += record.request && record.request->minor == 0 ? "HTTP/1.0" : "HTTP/1.1";
}

}  // namespace

AccessFormat AccessFormat::compile(std::string_view format) {
  AccessFormat compiled;
  std::string literal;
  const auto flush_literal = [&] {
    if (!literal.empty()) compiled.atoms_.push_back({0, std::move(literal)});
    literal.clear();
  };
  while (!format.empty()) {
    const auto open = format.find("%(");
    literal += format.substr(0, open);
    if (open == std::string_view::npos) break;
    format.remove_prefix(open + 2);
    const auto close = format.find(")s");
    if (close == std::string_view::npos) {
      literal += "%(";
      continue;
    }
    const std::string_view name = format.substr(0, close);
    format.remove_prefix(close + 2);
    flush_literal();
    if (name.size() == 1) {
      compiled.atoms_.push_back({name[0], {}});
    } else if (name.size() > 3 && name.front() == '{' && name[name.size() - 2] == '}') {
      const char kind = name.back() == 'i' ? 'i' : name.back() == 'o' ? 'o' : '?';
      compiled.wants_response_ = compiled.wants_response_ || kind == 'o';
      compiled.atoms_.push_back({kind, std::string(name.substr(1, name.size() - 3))});
    } else {
      compiled.atoms_.push_back({'?', {}});
    }
  }
  flush_literal();
  return compiled;
}

void AccessFormat::render(const AccessRecord& record, std::int64_t unix_seconds,
                          std::string& out) const {
  for (const Atom& atom : atoms_) {
    if (atom.kind == 0) {
      out += atom.text;
    } else {
      render_atom(atom, record, unix_seconds, out);
    }
  }
  out += '\n';
}

void AccessFormat::render_atom(const Atom& atom, const AccessRecord& record,
                               std::int64_t now, std::string& out) const {
  const http::Request* request = record.request;
  switch (atom.kind) {
    case 'h': append_or_dash(out, record.peer ? record.peer->ip_text() : ""); return;
    case 'l': out += '-'; return;
    case 'u': append_user(out, record); return;
    case 't': append_time(out, now); return;
    case 'r':
      append_or_dash(out, method_of(record));
      out += ' ';
      append_or_dash(out, request ? request->text(request->target) : "");
      out += ' ';
      append_protocol(out, record);
      return;
    case 's': append_int(out, record.status); return;
    case 'm': append_or_dash(out, method_of(record)); return;
    case 'U': append_or_dash(out, request ? request->path_text() : ""); return;
    case 'q': append_escaped(out, request ? request->text(request->query) : ""); return;
    case 'H': append_protocol(out, record); return;
    case 'B': append_int(out, static_cast<std::int64_t>(record.bytes)); return;
    case 'b':
      if (record.bytes == 0) {
        out += '-';
      } else {
        append_int(out, static_cast<std::int64_t>(record.bytes));
      }
      return;
    case 'f': append_or_dash(out, request_header(record, "referer")); return;
    case 'a': append_or_dash(out, request_header(record, "user-agent")); return;
    case 'T': append_int(out, record.duration / kSecond); return;
    case 'D': append_int(out, record.duration / 1000); return;
    case 'M': append_int(out, record.duration / kMillisecond); return;
    case 'L':
      append_fixed(out, record.duration / kSecond, record.duration % kSecond / 1000);
      return;
    case 'p':
      out += '<';
      append_int(out, ::getpid());
      out += '>';
      return;
    case 'i': append_or_dash(out, request_header(record, atom.text)); return;
    case 'o': append_or_dash(out, response_header(record, atom.text)); return;
    default: out += '-'; return;
  }
}

std::expected<std::unique_ptr<AccessLog>, Error> AccessLog::open(
    const std::string& path, std::string_view format) {
  const int fd = path == "-" ? ::fcntl(1, F_DUPFD_CLOEXEC, 3)
                             : ::open(path.c_str(),
                                      O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) return std::unexpected(error_from_errno(errno));
  return std::unique_ptr<AccessLog>(
      new AccessLog(fd, path, AccessFormat::compile(format)));
}

AccessLog::AccessLog(int fd, std::string path, AccessFormat format)
    : format_(std::move(format)), path_(std::move(path)), fd_(fd) {
  const loop::SignalsBlocked blocked;
  thread_ = std::thread([this] { run(); });
}

AccessLog::~AccessLog() {
  publish();
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wanted_.notify_one();
  if (thread_.joinable()) thread_.join();
  if (fd_ >= 0) ::close(fd_);
}

void AccessLog::write(const AccessRecord& record, Clock& clock) {
  if (pending_.size() >= kCapacity) {
    ++dropped_;
    return;
  }
  format_.render(record, clock.wall() / kSecond, pending_);
}

void AccessLog::publish() {
  if (pending_.empty()) return;
  bool was_empty = false;
  {
    const std::lock_guard lock(mutex_);
    was_empty = shared_.empty();
    if (was_empty) {
      shared_.swap(pending_);
    } else if (shared_.size() < kCapacity) {
      shared_ += pending_;
      pending_.clear();
    }
    // Else the thread is behind: lines pile up in pending_ and are dropped there.
  }
  if (was_empty) wanted_.notify_one();
}

void AccessLog::reopen() {
  {
    const std::lock_guard lock(mutex_);
    reopen_ = true;
  }
  wanted_.notify_one();
}

void AccessLog::abandon() noexcept {
  ::new (&thread_) std::thread();
  ::new (&mutex_) std::mutex();
  ::new (&wanted_) std::condition_variable();
  pending_.clear();
  shared_.clear();
  ::close(fd_);
  fd_ = -1;
}

void AccessLog::run() noexcept {
  std::string batch;
  std::unique_lock lock(mutex_);
  while (true) {
    wanted_.wait(lock, [this] { return stopping_ || reopen_ || !shared_.empty(); });
    batch.swap(shared_);
    const bool renew = std::exchange(reopen_, false);
    const bool last = stopping_ && shared_.empty();
    lock.unlock();
    write_out(batch);
    batch.clear();
    if (renew && path_ != "-") {
      const int fd =
          ::open(path_.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
      if (fd >= 0) ::close(std::exchange(fd_, fd));
    }
    if (last) return;
    lock.lock();
  }
}

void AccessLog::write_out(std::string_view text) noexcept {
  while (!text.empty()) {
    const ssize_t n = ::write(fd_, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return;  // a full disk or a closed pipe: these lines are lost
    text.remove_prefix(static_cast<std::size_t>(n));
  }
}

}  // namespace celadon::server
