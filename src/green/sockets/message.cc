// The calls that carry addresses or control data. CPython's own methods do them, with a
// timeout of 0 and MSG_DONTWAIT: errors, audit events and address formats are theirs.
#include <sys/socket.h>

#include <algorithm>
#include <array>

#include "green/sockets/arguments.h"
#include "green/sockets/call.h"
#include "green/sockets/methods.h"
#include "green/sockets/native.h"
#include "loop/poller.h"

namespace celadon::green::sockets {
namespace {

constexpr std::size_t kMostArguments = 4;

// The arguments of one call, completed so that its flags have a place.
class Message {
 public:
  Message(PyObject* method, std::uint8_t events) noexcept
      : method_(method), events_(events) {}

  void put(std::size_t at, PyObject* borrowed) noexcept {
    owned_[at] = py::Object::copy(borrowed);
    count_ = std::max(count_, at + 1);
  }
  void put(std::size_t at, py::Object object) noexcept {
    owned_[at] = std::move(object);
    count_ = std::max(count_, at + 1);
  }
  [[nodiscard]] PyObject* at(std::size_t i) const noexcept { return owned_[i].get(); }
  [[nodiscard]] std::size_t count() const noexcept { return count_; }
  [[nodiscard]] int flags() const noexcept { return flags_; }

  // False: not a number, for CPython to complain about.
  [[nodiscard]] bool set_flags(std::size_t at, PyObject* given) noexcept {
    if (given && !to_flags(given, flags_)) return false;
    put(at, py::Object(PyLong_FromLong(flags_ | MSG_DONTWAIT)));
    return static_cast<bool>(owned_[at]);
  }

  // The result; null with an exception.
  [[nodiscard]] PyObject* run(PyObject* self, SocketCall& call) noexcept {
    while (true) {
      PyObject* result = attempt(self, call);
      if (result || !PyErr_ExceptionMatches(PyExc_BlockingIOError)) return result;
      PyErr_Clear();
      if (!wait(call)) return nullptr;
    }
  }

 private:
  // One that has room itself waits for that of its peer, a datagram socket it is not
  // connected to: nobody tells when that comes.
  [[nodiscard]] bool wait(SocketCall& call) const noexcept {
    const bool is_peers = events_ == loop::kWrite && call.ready_now(events_);
    return is_peers ? call.pause() : call.wait(events_);
  }
  [[nodiscard]] PyObject* attempt(PyObject* self, const SocketCall& call) noexcept {
    PyObject* args[kMostArguments] = {};
    for (std::size_t i = 0; i < count_; ++i) args[i] = owned_[i].get();
    const Bracket bracket(self, call.state());
    return call_native(method_, self, args, static_cast<Py_ssize_t>(count_));
  }

  PyObject* method_;
  const std::uint8_t events_;
  std::array<py::Object, kMostArguments> owned_;
  std::size_t count_ = 0;
  int flags_ = 0;
};

// Iterables that one attempt would use up. False: no iterable, for CPython to complain
// about, or with the exception that its iterator raised.
[[nodiscard]] bool keep_items(Message& message, std::size_t at,
                              PyObject* items) noexcept {
  const py::Object iterator(PyObject_GetIter(items));
  if (!iterator) {
    PyErr_Clear();
    return false;
  }
  py::Object kept(PySequence_Tuple(iterator.get()));
  if (!kept) return false;
  message.put(at, std::move(kept));
  return true;
}

// recvfrom, recvfrom_into, recvmsg and recvmsg_into: flags come last and have a place.
PyObject* receive(PyObject* method, PyObject* self, PyObject* const* args,
                  Py_ssize_t count, std::size_t flags_at, bool items) noexcept {
  const auto given = static_cast<std::size_t>(count);
  SocketCall call(self);
  if (!call.start()) return nullptr;
  Message message(method, loop::kRead);
  bool fits = given >= 1 && given <= flags_at + 1 &&
              message.set_flags(flags_at, given > flags_at ? args[flags_at] : nullptr);
  const bool whole = call.blocking() && (message.flags() & MSG_WAITALL);
  // Before an iterator among the arguments is used up.
  if (!fits || whole || call.refuses_to_wait(message.flags())) {
    return call_native(method, self, args, count);
  }
  for (std::size_t i = 0; fits && i < flags_at; ++i) {
    if (i == 0 && items) {
      fits = keep_items(message, 0, args[0]);
    } else if (i < given) {
      message.put(i, args[i]);
    } else {
      message.put(i, py::Object(PyLong_FromLong(0)));
    }
  }
  if (PyErr_Occurred()) return nullptr;
  return fits ? message.run(self, call) : call_native(method, self, args, count);
}

// The kernel takes all that a blocking stream was given; the first attempt took a part.
PyObject* send_rest(PyObject* self, const Message& message, PyObject* sent) noexcept {
  const py::Object empty(PyBytes_FromStringAndSize(nullptr, 0));
  const py::Object all(
      empty ? PyObject_CallMethod(empty.get(), "join", "(O)", message.at(0)) : nullptr);
  if (!all) return nullptr;
  const Py_ssize_t done = PyLong_AsSsize_t(sent);
  const Py_ssize_t size = PyBytes_GET_SIZE(all.get());
  if (done >= size) return py::new_ref(sent);
  const py::Object rest(
      PyBytes_FromStringAndSize(PyBytes_AS_STRING(all.get()) + done, size - done));
  PyObject* args[] = {rest.get()};
  const py::Object more(rest ? send(self, args, 1) : nullptr);
  if (!more) return nullptr;
  return PyLong_FromSsize_t(done + PyLong_AsSsize_t(more.get()));
}

}  // namespace

PyObject* recvfrom(PyObject* self, Args args, Py_ssize_t count) noexcept {
  return receive(native().recvfrom, self, args, count, 1, false);
}

PyObject* recvfrom_into(PyObject* self, Args args, Py_ssize_t count,
                        PyObject* names) noexcept {
  PyObject* bound[3] = {};
  if (!bind_arguments(args, count, names, {"buffer", "nbytes", "flags"}, bound) ||
      !bound[0]) {
    return call_native(native().recvfrom_into, self, args, count, names);
  }
  const py::Object zero(PyLong_FromLong(0));
  if (!bound[1]) bound[1] = zero.get();
  return receive(native().recvfrom_into, self, bound, bound[2] ? 3 : 2, 2, false);
}

PyObject* recvmsg(PyObject* self, Args args, Py_ssize_t count) noexcept {
  return receive(native().recvmsg, self, args, count, 2, false);
}

PyObject* recvmsg_into(PyObject* self, Args args, Py_ssize_t count) noexcept {
  return receive(native().recvmsg_into, self, args, count, 2, true);
}

// sendto(data, address) or sendto(data, flags, address)
PyObject* sendto(PyObject* self, Args args, Py_ssize_t count) noexcept {
  SocketCall call(self);
  if (!call.start()) return nullptr;
  Message message(native().sendto, loop::kWrite);
  if (count < 2 || count > 3 || !message.set_flags(1, count == 3 ? args[1] : nullptr)) {
    return call_native(native().sendto, self, args, count);
  }
  py::Object address = resolved(self, args[count - 1]);
  if (!address) return nullptr;
  message.put(0, args[0]);
  message.put(2, std::move(address));
  if (!call.refuses_to_wait(message.flags())) return message.run(self, call);
  PyObject* flags = message.at(1);
  const py::Object plain(PyLong_FromLong(message.flags()));
  PyObject* direct[] = {args[0], plain ? plain.get() : flags, message.at(2)};
  return call_native(native().sendto, self, direct, 3);
}

// sendmsg(buffers[, ancdata[, flags[, address]]])
PyObject* sendmsg(PyObject* self, Args args, Py_ssize_t count) noexcept {
  SocketCall call(self);
  if (!call.start()) return nullptr;
  Message message(native().sendmsg, loop::kWrite);
  // Before an iterator among the arguments is used up.
  if (count < 1 || count > 4 || !message.set_flags(2, count > 2 ? args[2] : nullptr) ||
      call.refuses_to_wait(message.flags())) {
    return call_native(native().sendmsg, self, args, count);
  }
  const bool fits = keep_items(message, 0, args[0]) &&
                    (count > 1 ? keep_items(message, 1, args[1])
                               : (message.put(1, py::Object(PyTuple_New(0))), true));
  if (PyErr_Occurred()) return nullptr;
  if (!fits) return call_native(native().sendmsg, self, args, count);
  if (count > 3 && args[3] != Py_None) {
    py::Object address = resolved(self, args[3]);
    if (!address) return nullptr;
    message.put(3, std::move(address));
  }
  py::Object sent(message.run(self, call));
  if (!sent || !call.blocking()) return sent.release();
  return send_rest(self, message, sent.get());
}

}  // namespace celadon::green::sockets
