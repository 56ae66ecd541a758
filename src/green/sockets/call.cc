#include "green/sockets/call.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "green/hub.h"
#include "loop/poller.h"
#include "py/gil.h"

namespace celadon::green::sockets {
namespace {

constexpr Nanos kLongestPause = 50 * kMillisecond;

short to_poll(std::uint8_t events) noexcept {
  return static_cast<short>(((events & loop::kRead) ? POLLIN : 0) |
                            ((events & loop::kWrite) ? POLLOUT : 0));
}

bool closed_error() noexcept {
  const py::Object args(
      Py_BuildValue("(is)", EBADF, "File descriptor was closed in another greenlet"));
  if (args) PyErr_SetObject(PyExc_OSError, args.get());
  return false;
}

}  // namespace

PyObject* SocketCall::fail(int error) noexcept {
  errno = error;
  return PyErr_SetFromErrno(PyExc_OSError);
}

bool SocketCall::be_late(const char* text) noexcept {
  late_ = true;
  PyErr_SetString(PyExc_TimeoutError, text);
  return false;
}

bool SocketCall::refuses_to_wait(int flags) const noexcept {
  return state_.timeout == 0 || (blocking() && (flags & (MSG_DONTWAIT | MSG_ERRQUEUE)));
}

bool SocketCall::retry(int error, std::uint8_t events, int flags) noexcept {
  if (error == EINTR) return PyErr_CheckSignals() == 0;
  if ((error != EAGAIN && error != EWOULDBLOCK) || refuses_to_wait(flags)) {
    return fail(error) != nullptr;
  }
  return wait(events);
}

bool SocketCall::ready_now(std::uint8_t events) const noexcept {
  pollfd p{state_.fd, to_poll(events), 0};
  return ::poll(&p, 1, 0) != 0;  // an error is for the call itself to find
}

// Its number may be another's by now.
bool SocketCall::still_open() noexcept {
  SocketState now;
  if (!read_state(socket_, now)) return false;
  return now.fd == state_.fd || closed_error();
}

bool SocketCall::wait(std::uint8_t events, const char* late) noexcept {
  if (deadline_ == 0) deadline_ = deadline_after(state_.timeout);
  if (!can_park()) return wait_natively(events, late);
  Strand& strand = *current_strand();
  switch (strand.hub().fd_waits().wait(strand, state_.fd, events, deadline_)) {
    case Waited::Interrupted: return false;
    case Waited::TimedOut: return be_late(late);
    case Waited::Granted: break;
  }
  return strand.ready == 0 ? closed_error() : still_open();
}

bool SocketCall::wait_natively(std::uint8_t events, const char* late) noexcept {
  while (true) {
    const Nanos left = deadline_ == kNever ? kNever : deadline_ - monotonic_now();
    pollfd p{state_.fd, to_poll(events), 0};
    int n = 0;
    {
      const py::WithoutGil gil;
      n = ::poll(&p, 1, loop::to_poll_timeout(std::max<Nanos>(left, 0)));
      if (n < 0) n = -errno;
    }
    if (n > 0) return still_open();
    if (n < 0 && n != -EINTR) return fail(-n) != nullptr;
    if (PyErr_CheckSignals() < 0) return false;
    if (left <= 0) return be_late(late);
  }
}

bool SocketCall::pause() noexcept {
  if (deadline_ == 0) deadline_ = deadline_after(state_.timeout);
  const Nanos now = monotonic_now();
  if (now >= deadline_) return be_late("timed out");
  WaitQueue nobody;
  const Nanos until = std::min(deadline_, now + pause_);
  pause_ = std::min(2 * pause_, kLongestPause);
  if (can_park()) {
    Strand& strand = *current_strand();
    strand.granted = false;
    if (strand.hub().park(strand, until, ParkReason::Fd, false) == Waited::Interrupted)
      return false;
  } else if (wait_on(nobody, until, ParkReason::Fd) == Waited::Interrupted) {
    return false;
  }
  return still_open();
}

}  // namespace celadon::green::sockets
