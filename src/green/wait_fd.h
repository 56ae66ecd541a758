// Waits for any descriptor: of Python objects, and of drivers that poll.
#pragma once

#include "base/clock.h"
#include "green/waiter.h"
#include "py/python.h"

namespace celadon::green {

// What comes of a wait where no event does.
constexpr int kTimeIsOver = 0;
constexpr int kNotOpen = -1;  // or closed meanwhile; errno says it
constexpr int kRaised = -2;   // with an exception, which is one that was sent

// What is ready of `events` (1 read, 2 write), by `deadline`; or one of the above.
[[nodiscard]] int poll_fd(int fd, int events, Nanos deadline,
                          ParkReason reason = ParkReason::Fd) noexcept;
// As `poll_fd`. Negative with an exception, which is TimeoutError when the time has
// passed: whoever gives a limit and looks at exceptions takes one that was sent for
// that.
[[nodiscard]] int wait_fd(int fd, int events, Nanos deadline,
                          ParkReason reason = ParkReason::Fd) noexcept;
// As `wait_fd` without a limit, for calls that block where nothing is ready: another
// greenlet may have taken, since it was woken, what this one was woken for.
[[nodiscard]] int wait_until_ready(int fd, int events) noexcept;

// wait_fd(fd, events, timeout=None, database=False), and poll_fd likewise
PyObject* py_wait_fd(PyObject* self, PyObject* args, PyObject* kwargs) noexcept;
PyObject* py_poll_fd(PyObject* self, PyObject* args, PyObject* kwargs) noexcept;
// wait_by_poll(conn): libpq's way, as psycopg2 hands it to its wait callback.
PyObject* py_wait_by_poll(PyObject* self, PyObject* conn) noexcept;

}  // namespace celadon::green
