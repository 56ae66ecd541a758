#include "loop/waker.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include "base/assert.h"

namespace celadon::loop {

Waker::Waker(Poller& poller) noexcept
    : poller_(poller), fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  CHECK(fd_ >= 0, "eventfd failed");
  CHECK(poller_.add(fd_, kRead, *this).has_value(), "the waker cannot be polled");
}

Waker::~Waker() {
  if (fd_ < 0) return;
  poller_.remove(fd_, *this);
  ::close(fd_);
}

void Waker::wake() const noexcept {
  const std::uint64_t one = 1;
  // EAGAIN means that the counter is full: the poll is awake already.
  [[maybe_unused]] const auto n = ::write(fd_, &one, sizeof one);
}

void Waker::abandon() noexcept {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

void Waker::on_io(std::uint8_t) noexcept {
  std::uint64_t count = 0;
  [[maybe_unused]] const auto n = ::read(fd_, &count, sizeof count);
}

}  // namespace celadon::loop
