// Waits for any descriptor: of Python objects, and of drivers that poll.
#pragma once

#include "base/clock.h"
#include "green/waiter.h"
#include "py/python.h"

namespace celadon::green {

// What is ready of `events` (1 read, 2 write), by `deadline`. Negative with an
// exception, which is TimeoutError when the time has passed.
[[nodiscard]] int wait_fd(int fd, int events, Nanos deadline,
                          ParkReason reason = ParkReason::Fd) noexcept;

// wait_fd(fd, events, timeout=None, database=False)
PyObject* py_wait_fd(PyObject* self, PyObject* args, PyObject* kwargs) noexcept;
// wait_by_poll(conn): libpq's way, as psycopg2 hands it to its wait callback.
PyObject* py_wait_by_poll(PyObject* self, PyObject* conn) noexcept;

}  // namespace celadon::green
