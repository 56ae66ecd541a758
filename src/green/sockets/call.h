// One call of a socket method: what it may wait for, and until when.
#pragma once

#include "green/sockets/object.h"

namespace celadon::green::sockets {

class SocketCall {
 public:
  explicit SocketCall(PyObject* socket) noexcept : socket_(socket) {}

  // Reads the socket's state; false with an exception.
  [[nodiscard]] bool start() noexcept { return read_state(socket_, state_); }
  [[nodiscard]] int fd() const noexcept { return state_.fd; }
  [[nodiscard]] const SocketState& state() const noexcept { return state_; }
  [[nodiscard]] bool blocking() const noexcept { return state_.timeout < 0; }
  // Whether the caller wants an error instead of a wait: by timeout 0, or by a flag,
  // which CPython overrules where there is a timeout.
  [[nodiscard]] bool refuses_to_wait(int flags) const noexcept;

  // After a system call that failed with `error`: waits where that helps. False with an
  // exception.
  [[nodiscard, gnu::noinline]] bool retry(int error, std::uint8_t events,
                                          int flags) noexcept;
  // Until ready for `events` (loop::kRead, loop::kWrite). The deadline is fixed by the
  // first wait. False with an exception.
  [[nodiscard, gnu::noinline]] bool wait(std::uint8_t events,
                                         const char* late = "timed out") noexcept;
  // Ready now? Asks the kernel.
  [[nodiscard]] bool ready_now(std::uint8_t events) const noexcept;
  // For what nobody tells of: a moment, longer each time, whatever happens to the
  // descriptor. False with an exception; that of the deadline included.
  [[nodiscard]] bool pause() noexcept;
  // Its own deadline has passed: a TimeoutError may also be somebody's else.
  [[nodiscard]] bool late() const noexcept { return late_; }
  // OSError of `error`; null.
  static PyObject* fail(int error) noexcept;

 private:
  [[nodiscard]] bool still_open() noexcept;
  bool be_late(const char* text) noexcept;  // false, with the exception
  [[nodiscard]] bool wait_natively(std::uint8_t events, const char* late) noexcept;

  PyObject* socket_;  // borrowed: its method runs
  SocketState state_;
  Nanos deadline_ = 0;  // 0: not fixed yet
  Nanos pause_ = kMillisecond;
  bool late_ = false;
};

}  // namespace celadon::green::sockets
