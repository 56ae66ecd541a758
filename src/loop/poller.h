// Readiness of descriptors, level-triggered. Two backends keep one contract: epoll, and
// poll(2) as the portable one. A handler that was removed gets no event any more, also
// none that the current batch already holds.
#pragma once

#include <time.h>

#include <array>
#include <cstdint>
#include <expected>
#include <memory>

#include "base/clock.h"
#include "base/error.h"

namespace celadon::loop {

// Bit sets of interest and of readiness.
inline constexpr std::uint8_t kRead = 1;
inline constexpr std::uint8_t kWrite = 2;
inline constexpr std::uint8_t kHangup =
    4;  // both directions are shut, or an error is pending
inline constexpr std::uint8_t kExclusive = 8;  // wake one of the processes that wait
inline constexpr std::uint8_t kOneShot = 16;   // disarmed by its first event

class IoHandler {
 public:
  virtual ~IoHandler() = default;
  // `ready` is a set of kRead, kWrite and kHangup.
  virtual void on_io(std::uint8_t ready) noexcept = 0;
};

class Poller {
 public:
  virtual ~Poller() = default;
  // Registers `fd`. The handler must be removed before it is destroyed or the fd
  // closed.
  [[nodiscard]] virtual std::expected<void, Error> add(int fd, std::uint8_t interest,
                                                       IoHandler& handler) noexcept = 0;
  // True: it was not registered, and is now.
  [[nodiscard]] virtual std::expected<bool, Error> modify(
      int fd, std::uint8_t interest, IoHandler& handler) noexcept = 0;
  virtual void remove(int fd, IoHandler& handler) noexcept = 0;
  // Likewise, by another thread, while the loop's neither waits nor dispatches: only
  // where the table is the kernel's.
  [[nodiscard]] virtual bool can_drop() const noexcept { return false; }
  virtual void drop(int) noexcept {}
  // Forgets the descriptors without a word to the kernel: for a forked child, whose
  // epoll instance is still the parent's.
  virtual void abandon() noexcept = 0;

  // Waits up to `timeout` (0: not at all, kNever: without end), then calls `dispatch`.
  // Returns how many events there are to dispatch.
  [[nodiscard]] virtual int wait(Nanos timeout) noexcept = 0;
  // Returns how many there were.
  int dispatch() noexcept;

 protected:
  struct Event {
    IoHandler* handler;
    std::uint8_t ready;
  };
  static constexpr int kBatch = 256;
  void forget(const IoHandler& handler) noexcept;

  std::array<Event, kBatch> batch_{};
  int count_ = 0;
  int at_ = 0;
};

// Milliseconds for poll(2): rounded up, never below the timeout.
[[nodiscard]] int to_poll_timeout(Nanos timeout) noexcept;
// For calls that take nanoseconds; kNever is for them to say in their own way.
[[nodiscard]] timespec to_timespec(Nanos timeout) noexcept;

[[nodiscard]] std::unique_ptr<Poller> make_epoll_poller();
[[nodiscard]] std::unique_ptr<Poller> make_poll_poller();

}  // namespace celadon::loop
