// What CPython keeps in a socket object: its descriptor and its timeout.
//
// Both are read where CPython's struct has them, once a self-test has found them there;
// else through the methods fileno() and gettimeout(), which is slower and as right.
#pragma once

#include "base/clock.h"
#include "green/hub.h"
#include "py/ref.h"

namespace celadon::green::sockets {

struct SocketState {
  int fd = -1;
  Nanos timeout = -1;  // negative: None, 0: non-blocking
};

// Looks where a socket object keeps its state. -1 with an exception.
[[nodiscard]] int learn_layout(PyObject* native_class) noexcept;
[[nodiscard]] bool layout_known() noexcept;
// For tests of the slower way.
void set_layout_known(bool known) noexcept;

// False with an exception.
[[nodiscard]] bool read_state(PyObject* socket, SocketState& out) noexcept;
// Negative with an exception.
[[nodiscard]] int family_of(PyObject* socket) noexcept;

// CPython's methods poll inside unless the timeout is 0: in this scope it is. Never
// spans a park. Brackets of one socket nest, also between threads: the first keeps the
// timeout, the last restores it.
class Bracket {
 public:
  Bracket(PyObject* socket, const SocketState& state) noexcept;
  ~Bracket();
  Bracket(const Bracket&) = delete;
  Bracket& operator=(const Bracket&) = delete;

 private:
  NoSwitch no_switch_;  // an audit hook is Python, and runs inside
  PyObject* socket_;
};

// The user set the timeout: what runs in a bracket keeps its 0, the new one comes
// after.
void note_timeout_was_set(PyObject* socket) noexcept;

}  // namespace celadon::green::sockets
