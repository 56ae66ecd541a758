#include "green/signal_fd.h"

#include <sys/signalfd.h>

#include <csignal>

namespace celadon::green {

PyObject* py_signal_fd(PyObject*, PyObject* signals) noexcept {
  const py::Object iterator(PyObject_GetIter(signals));
  if (!iterator) return nullptr;
  sigset_t set;
  ::sigemptyset(&set);
  while (const py::Object each{PyIter_Next(iterator.get())}) {
    const long number = PyLong_AsLong(each.get());
    if (number == -1 && PyErr_Occurred()) return nullptr;
    if (number != static_cast<int>(number) ||
        ::sigaddset(&set, static_cast<int>(number)) < 0) {
      PyErr_Format(PyExc_ValueError, "%ld is no signal", number);
      return nullptr;
    }
  }
  if (PyErr_Occurred()) return nullptr;
  const int fd = ::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  return fd < 0 ? PyErr_SetFromErrno(PyExc_OSError) : PyLong_FromLong(fd);
}

}  // namespace celadon::green
