#include "module/stdio_relay.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <new>

#ifndef SYS_pidfd_open  // older headers than kernels
#define SYS_pidfd_open 434
#endif

namespace celadon::module {
namespace {

constexpr std::size_t kPiece = std::size_t{64} << 10;

bool may_block(int fd) noexcept {
  struct stat info{};
  if (::fstat(fd, &info) < 0) return false;
  return S_ISFIFO(info.st_mode) || S_ISSOCK(info.st_mode);
}

}  // namespace

bool StdioRelay::Stream::open(int standard_fd) noexcept {
  int ends[2] = {-1, -1};
  if (!may_block(standard_fd) || ::pipe2(ends, O_CLOEXEC) < 0) return false;
  net::OwnedFd from(ends[0]);
  const net::OwnedFd to(ends[1]);
  ::fcntl(from.get(), F_SETFL, O_NONBLOCK);
  // Room for a while in which the master does not run.
  ::fcntl(from.get(), F_SETPIPE_SZ, static_cast<int>(kBuffer));
  net::OwnedFd original(::fcntl(standard_fd, F_DUPFD_CLOEXEC, 3));
  if (!original || ::dup2(to.get(), standard_fd) < 0) return false;
  before = std::move(original);
  in = std::move(from);
  standard = standard_fd;
  return true;
}

bool StdioRelay::Stream::open_out() noexcept {
  if (standard < 0) return true;
  auto file = LineFile::open("-", before.get());
  if (file) out.emplace(std::move(*file));
  return file.has_value();
}

void StdioRelay::Stream::close() noexcept {
  standard = -1;
  before.close();
  in.close();
  out.reset();
  waiting.clear();
}

// Nobody has put something else there since.
bool StdioRelay::Stream::is_ours() const noexcept {
  struct stat now{};
  struct stat pipe{};
  return standard >= 0 && ::fstat(standard, &now) == 0 &&
         ::fstat(in.get(), &pipe) == 0 && now.st_ino == pipe.st_ino &&
         now.st_dev == pipe.st_dev;
}

// Always empties the pipe: who writes to it never waits for long.
void StdioRelay::Stream::read() noexcept {
  std::array<char, kPiece> piece;
  while (true) {
    const ssize_t n = ::read(in.get(), piece.data(), piece.size());
    if (n == 0) in.close();  // all who could write have something else now
    if (n <= 0) return;
    const std::string_view got(piece.data(), static_cast<std::size_t>(n));
    if (waiting.size() + got.size() <= kBuffer) {
      waiting.append(got);
    } else {
      lost += static_cast<std::uint64_t>(std::ranges::count(got, '\n'));
    }
    write();
  }
}

void StdioRelay::Stream::write() noexcept {
  if (waiting.empty() || !out) return;
  const LineFile::Written written = out->write_all(waiting, 0);
  if (written.failed) {
    waiting.clear();  // nobody will ever read it
  } else {
    waiting.erase(0, written.bytes);
  }
  if (!waiting.empty() || lost == 0) return;
  waiting = "[celadon: " + std::to_string(std::exchange(lost, 0)) +
            " lines were lost here: nobody read them]\n";
}

void StdioRelay::start() noexcept {
  const bool first = streams_[0].open(1);
  const bool second = streams_[1].open(2);
  if (!first && !second) return;
  if (!begin()) stop();
}

bool StdioRelay::begin() noexcept {
  wake_ = net::OwnedFd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake_) return false;
  if (!open_out()) return false;
  owner_ = ::getpid();
  return thread_.start([this]() noexcept { run(); }).has_value();
}

bool StdioRelay::open_out() noexcept {
  return std::ranges::all_of(streams_, [](Stream& each) { return each.open_out(); });
}

void StdioRelay::settle_in_child() noexcept {
  if (owner_ == 0) return;
  thread_.forget();
  wake_.close();
  for (Stream& stream : streams_) {
    stream.out.reset();
    // The thread may have been at it: what it had in memory is left there.
    ::new (&stream.waiting) std::string();
    stream.lost = 0;
  }
  succeed(owner_);
}

void StdioRelay::succeed(pid_t master) noexcept {
  master_ = net::OwnedFd(static_cast<int>(::syscall(SYS_pidfd_open, master, 0)));
  if (::getppid() != master) return take_over();
  wake_ = net::OwnedFd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!master_ || !wake_) return;
  const auto started = thread_.start([this]() noexcept {
    if (!outlives_master()) return;
    succeeded_ = true;
    if (open_out()) run();
  });
  if (started) owner_ = ::getpid();  // else take_over() comes back to it
}

bool StdioRelay::outlives_master() const noexcept {
  std::array<pollfd, 2> polled{{{wake_.get(), POLLIN, 0}, {master_.get(), POLLIN, 0}}};
  while (::poll(polled.data(), polled.size(), -1) < 0) {
  }
  return !stopping_;
}

bool StdioRelay::master_lives() const noexcept {
  pollfd polled{master_.get(), POLLIN, 0};
  return master_ && !succeeded_ && ::poll(&polled, 1, 0) == 0;
}

// Workers whose master is gone share the pipe: a line may come out in two pieces.
void StdioRelay::take_over() noexcept {
  if (owner_ == 0 || owner_ == ::getpid()) return;
  succeeded_ = true;
  if (begin()) return;
  flush();
  put_back();
}

void StdioRelay::put_back() noexcept {
  for (const Stream& stream : streams_) {
    if (stream.is_ours()) ::dup2(stream.before.get(), stream.standard);
  }
}

void StdioRelay::stop() noexcept {
  if (owner_ != 0 && owner_ != ::getpid()) {
    thread_.forget();
    return;
  }
  if (master_lives()) end_thread();
  if (master_lives()) return;
  put_back();
  end_thread();
  // The thread was told to end before it saw that the master had.
  if (master_ && !succeeded_ && open_out()) flush();
  for (Stream& stream : streams_) stream.close();
  wake_.close();
  owner_ = 0;
}

void StdioRelay::end_thread() noexcept {
  if (!thread_.started()) return;
  stopping_ = true;
  ::eventfd_write(wake_.get(), 1);
  thread_.join();
  stopping_ = false;  // it may start again
}

int StdioRelay::original(int standard) const noexcept {
  for (const Stream& stream : streams_) {
    if (stream.standard == standard) return stream.before.get();
  }
  return standard;
}

StdioRelay& stdio_relay() noexcept {
  static StdioRelay relay;
  return relay;
}

void StdioRelay::run() noexcept {
  while (!stopping_) {
    std::array<pollfd, 5> polled{};
    std::size_t count = 0;
    polled[count++] = {wake_.get(), POLLIN, 0};
    for (Stream& stream : streams_) {
      if (!stream.out) continue;
      if (stream.in) polled[count++] = {stream.in.get(), POLLIN, 0};
      if (!stream.waiting.empty()) polled[count++] = {stream.out->fd(), POLLOUT, 0};
    }
    if (::poll(polled.data(), count, -1) < 0) continue;
    for (Stream& stream : streams_) {
      if (!stream.out) continue;
      stream.write();
      if (stream.in) stream.read();
    }
  }
  flush();
}

void StdioRelay::flush() noexcept {
  for (Stream& stream : streams_) {
    if (!stream.out) continue;
    if (stream.in) stream.read();
    if (!stream.waiting.empty()) {
      // What cannot be written now is lost.
      static_cast<void>(stream.out->write_all(stream.waiting, kLastMoment));
    }
  }
}

}  // namespace celadon::module
