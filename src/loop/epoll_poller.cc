// The epoll backend, and the one home of <sys/epoll.h>.
#include <linux/time_types.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

#include "base/assert.h"
#include "loop/poller.h"

namespace celadon::loop {
namespace {

std::uint32_t to_epoll(std::uint8_t interest) noexcept {
  std::uint32_t events = 0;
  if (interest & kRead) events |= EPOLLIN;
  if (interest & kWrite) events |= EPOLLOUT;
  if (interest & kExclusive) events |= EPOLLEXCLUSIVE;
  if (interest & kOneShot) events |= EPOLLONESHOT;
  return events;
}

std::uint8_t from_epoll(std::uint32_t events) noexcept {
  std::uint8_t ready = 0;
  if (events & (EPOLLIN | EPOLLPRI)) ready |= kRead;
  if (events & EPOLLOUT) ready |= kWrite;
  if (events & (EPOLLHUP | EPOLLERR)) ready |= kHangup;
  return ready;
}

class EpollPoller final : public Poller {
 public:
  EpollPoller() noexcept : fd_(::epoll_create1(EPOLL_CLOEXEC)) {
    CHECK(fd_ >= 0, "epoll_create1 failed");
  }
  ~EpollPoller() override { close_fd(); }

  std::expected<void, Error> add(int fd, std::uint8_t interest,
                                 IoHandler& handler) noexcept override {
    return control(EPOLL_CTL_ADD, fd, interest, handler);
  }
  // ADD where the kernel has forgotten the descriptor: Python closes its own unseen.
  std::expected<bool, Error> modify(int fd, std::uint8_t interest,
                                    IoHandler& handler) noexcept override {
    if (control(EPOLL_CTL_MOD, fd, interest, handler)) return false;
    if (errno != ENOENT) return std::unexpected(error_from_errno(errno));
    const auto added = control(EPOLL_CTL_ADD, fd, interest, handler);
    if (!added) return std::unexpected(added.error());
    return true;
  }
  void remove(int fd, IoHandler& handler) noexcept override {
    forget(handler);
    epoll_event unused{};
    if (fd_ >= 0) ::epoll_ctl(fd_, EPOLL_CTL_DEL, fd, &unused);
  }
  bool can_drop() const noexcept override { return true; }
  void drop(int fd) noexcept override {
    epoll_event unused{};
    ::epoll_ctl(fd_, EPOLL_CTL_DEL, fd, &unused);
  }
  void abandon() noexcept override {
    close_fd();
    count_ = at_ = 0;
  }

  int wait(Nanos timeout) noexcept override {
    if (fd_ < 0) return 0;
    epoll_event events[kBatch];
    const int n = wait_for(events, timeout);
    count_ = n > 0 ? n : 0;
    at_ = 0;
    for (int i = 0; i < count_; ++i) {
      batch_[static_cast<std::size_t>(i)] = {
          static_cast<IoHandler*>(events[i].data.ptr), from_epoll(events[i].events)};
    }
    return count_;
  }

 private:
  int wait_for(epoll_event* events, Nanos timeout) noexcept {
    // Two bounds that both calls know exactly.
    if (timeout == kNever) return ::epoll_wait(fd_, events, kBatch, -1);
    if (timeout <= 0) return ::epoll_wait(fd_, events, kBatch, 0);
    if (is_exact_) {
      const int n = wait_exactly(events, timeout);
      // Before Linux 5.11, and where a sandbox knows nothing of it.
      if (n >= 0 || (errno != ENOSYS && errno != EPERM)) return n;
      is_exact_ = false;
    }
    return ::epoll_wait(fd_, events, kBatch, to_poll_timeout(timeout));
  }
  // glibc has it since 2.35, and wheels are made for older ones.
  int wait_exactly(epoll_event* events, Nanos timeout) const noexcept {
    const __kernel_timespec span{timeout / kSecond, timeout % kSecond};
    return static_cast<int>(
        ::syscall(SYS_epoll_pwait2, fd_, events, kBatch, &span, nullptr, 0));
  }
  std::expected<void, Error> control(int op, int fd, std::uint8_t interest,
                                     IoHandler& handler) const noexcept {
    epoll_event event{};
    event.events = to_epoll(interest);
    event.data.ptr = &handler;
    if (::epoll_ctl(fd_, op, fd, &event) == 0) return {};
    // fs.epoll.max_user_watches
    if (errno == ENOSPC) return std::unexpected(Error::NoMemory);
    return std::unexpected(error_from_errno(errno));
  }
  void close_fd() noexcept {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }
  int fd_;
  bool is_exact_ = true;  // its waits end by the nanosecond, not by the millisecond
};

}  // namespace

std::unique_ptr<Poller> make_epoll_poller() {
  return std::make_unique<EpollPoller>();
}

}  // namespace celadon::loop
