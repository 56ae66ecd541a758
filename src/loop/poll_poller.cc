// The poll(2) backend: portable, linear in descriptors.
#include <poll.h>

#include <unordered_map>
#include <vector>

#include "base/assert.h"
#include "loop/poller.h"

namespace celadon::loop {
namespace {

short to_poll(std::uint8_t interest) noexcept {
  short events = 0;
  if (interest & kRead) events = static_cast<short>(events | POLLIN);
  if (interest & kWrite) events = static_cast<short>(events | POLLOUT);
  return events;
}

std::uint8_t from_poll(short events) noexcept {
  std::uint8_t ready = 0;
  if (events & (POLLIN | POLLPRI)) ready |= kRead;
  if (events & POLLOUT) ready |= kWrite;
  if (events & (POLLHUP | POLLERR | POLLNVAL)) ready |= kHangup;
  return ready;
}

class PollPoller final : public Poller {
 public:
  std::expected<void, Error> add(int fd, std::uint8_t interest,
                                 IoHandler& handler) noexcept override {
    if (fd < 0) return std::unexpected(Error::BadDescriptor);
    if (index_.contains(fd)) {
      set(index_[fd], fd, interest, handler);
      return {};
    }
    index_.emplace(fd, fds_.size());
    fds_.push_back({fd, to_poll(interest), 0});
    entries_.push_back({&handler, (interest & kOneShot) != 0});
    return {};
  }

  std::expected<bool, Error> modify(int fd, std::uint8_t interest,
                                    IoHandler& handler) noexcept override {
    const auto found = index_.find(fd);
    if (found == index_.end()) {
      const auto added = add(fd, interest, handler);
      if (!added) return std::unexpected(added.error());
      return true;
    }
    set(found->second, fd, interest, handler);
    return false;
  }

  void remove(int fd, IoHandler& handler) noexcept override {
    forget(handler);
    const auto found = index_.find(fd);
    if (found == index_.end()) return;
    const std::size_t at = found->second;
    index_.erase(found);
    if (at + 1 != fds_.size()) {
      fds_[at] = fds_.back();
      entries_[at] = entries_.back();
      index_[number(fds_[at].fd)] = at;
    }
    fds_.pop_back();
    entries_.pop_back();
  }

  void abandon() noexcept override {
    fds_.clear();
    entries_.clear();
    index_.clear();
    count_ = at_ = 0;
  }

  int wait(Nanos timeout) noexcept override {
    count_ = at_ = 0;
    const timespec span = to_timespec(timeout);
    const timespec* limit = timeout == kNever ? nullptr : &span;
    const int n = ::ppoll(fds_.data(), fds_.size(), limit, nullptr);
    if (n <= 0) return 0;
    // Start where the last full batch ended, so that high descriptors do not starve.
    const std::size_t size = fds_.size();
    for (std::size_t step = 0; step < size && count_ < kBatch; ++step) {
      const std::size_t at = (start_ + step) % size;
      collect(at);
      if (count_ == kBatch) start_ = at + 1;
    }
    return count_;
  }

 private:
  void set(std::size_t at, int fd, std::uint8_t interest, IoHandler& handler) noexcept {
    fds_[at] = {fd, to_poll(interest), 0};
    entries_[at] = {&handler, (interest & kOneShot) != 0};
  }
  struct Entry {
    IoHandler* handler;
    bool one_shot;
  };
  // A disarmed descriptor is kept as its complement: poll(2) skips negative numbers.
  static int number(int fd) noexcept { return fd < 0 ? ~fd : fd; }

  void collect(std::size_t at) noexcept {
    pollfd& slot = fds_[at];
    if (slot.fd < 0 || slot.revents == 0) return;
    batch_[static_cast<std::size_t>(count_++)] = {entries_[at].handler,
                                                  from_poll(slot.revents)};
    if (entries_[at].one_shot) slot.fd = ~slot.fd;
  }

  std::vector<pollfd> fds_;
  std::vector<Entry> entries_;
  std::unordered_map<int, std::size_t> index_;
  std::size_t start_ = 0;
};

}  // namespace

std::unique_ptr<Poller> make_poll_poller() {
  return std::make_unique<PollPoller>();
}

}  // namespace celadon::loop
