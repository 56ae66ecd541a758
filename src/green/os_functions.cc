#include "green/os_functions.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <climits>
#include <optional>
#include <string_view>

#include "green/hub.h"
#include "green/pipe_io.h"
#include "green/send_file.h"
#include "green/stand_in.h"
#include "green/wait_fd.h"
#include "py/type.h"

namespace celadon::green {
namespace {

StandIn of_close, of_closerange, of_dup2, of_read, of_write, of_eventfd_read,
    of_sendfile;

// Arguments, as a call was given them.
struct Given {
  PyObject* const* values;
  Py_ssize_t count;
  PyObject* names;

  [[nodiscard]] bool are(Py_ssize_t wanted) const noexcept {
    return count == wanted && !names;
  }
  [[nodiscard]] Py_ssize_t all() const noexcept {
    return count + (names ? PyTuple_GET_SIZE(names) : 0);
  }
  // The only one, called `name`; null where there are others.
  [[nodiscard]] PyObject* only(std::string_view name) const noexcept {
    if (are(1)) return values[0];
    if (count != 0 || !names || PyTuple_GET_SIZE(names) != 1) return nullptr;
    const char* given = PyUnicode_AsUTF8(PyTuple_GET_ITEM(names, 0));
    return given && name == given ? values[0] : nullptr;
  }
  // By its place or its name; null where there is none.
  [[nodiscard]] PyObject* at(Py_ssize_t place, std::string_view name) const noexcept {
    if (place < count) return values[place];
    const Py_ssize_t named = names ? PyTuple_GET_SIZE(names) : 0;
    for (Py_ssize_t i = 0; i < named; ++i) {
      const char* given = PyUnicode_AsUTF8(PyTuple_GET_ITEM(names, i));
      if (given && name == given) return values[count + i];
    }
    return nullptr;
  }
  [[nodiscard]] PyObject* to(PyObject* function) const noexcept {
    return PyObject_Vectorcall(function, values, static_cast<std::size_t>(count),
                               names);
  }
};

// False where it is none: the call says what is wrong.
bool read_index(PyObject* object, Py_ssize_t& out) noexcept {
  if (!object || !PyIndex_Check(object)) return false;
  out = PyNumber_AsSsize_t(object, PyExc_OverflowError);
  if (out != -1 || !PyErr_Occurred()) return true;
  PyErr_Clear();
  return false;
}

bool read_fd(PyObject* object, int& out) noexcept {
  Py_ssize_t number = -1;
  if (!read_index(object, number) || number < 0 || number > INT_MAX) return false;
  out = static_cast<int>(number);
  return true;
}

// eventfd, inotify, timerfd and their like have no type of file, and say when they can
// be read. False with an exception.
bool wait_where_no_file_is(int fd) noexcept {
  struct stat status{};
  if (::fstat(fd, &status) < 0 || (status.st_mode & S_IFMT) != 0) return true;
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags < 0 || (flags & O_NONBLOCK) != 0) return true;
  return wait_until_ready(fd, loop::kRead) >= 0;
}

PyObject* close(PyObject*, PyObject* const* values, Py_ssize_t count,
                PyObject* names) noexcept {
  const Given given{values, count, names};
  int fd = -1;
  if (read_fd(given.only("fd"), fd)) Hub::on_fd_closing(fd);
  return given.to(of_close.native);
}

PyObject* closerange(PyObject*, PyObject* const* values, Py_ssize_t count,
                     PyObject* names) noexcept {
  const Given given{values, count, names};
  Py_ssize_t low = 0;
  Py_ssize_t high = 0;
  if (given.are(2) && read_index(values[0], low) && read_index(values[1], high)) {
    const auto as_fd = [](Py_ssize_t n) noexcept {
      return static_cast<int>(std::clamp<Py_ssize_t>(n, 0, INT_MAX));
    };
    Hub::on_fds_closing(as_fd(low), as_fd(high) - 1);
  }
  return given.to(of_closerange.native);
}

// Closes what had the second number, unless there is nothing to put there.
PyObject* dup2(PyObject*, PyObject* const* values, Py_ssize_t count,
               PyObject* names) noexcept {
  const Given given{values, count, names};
  int fd = -1;
  int place = -1;
  if (read_fd(given.at(0, "fd"), fd) && read_fd(given.at(1, "fd2"), place) &&
      fd != place && ::fcntl(fd, F_GETFD) >= 0) {
    Hub::on_fd_closing(place);
  }
  return given.to(of_dup2.native);
}

PyObject* read(PyObject*, PyObject* const* values, Py_ssize_t count,
               PyObject* names) noexcept {
  const Given given{values, count, names};
  int fd = -1;
  Py_ssize_t size = 0;
  if (can_park() && given.are(2) && read_fd(values[0], fd) &&
      read_index(values[1], size)) {
    PyObject* data = read_pipe(fd, size);
    if (data != Py_None) return data;
    py::drop(data);
    if (!wait_where_no_file_is(fd)) return nullptr;
  }
  return given.to(of_read.native);
}

PyObject* write(PyObject*, PyObject* const* values, Py_ssize_t count,
                PyObject* names) noexcept {
  const Given given{values, count, names};
  int fd = -1;
  if (can_park() && given.are(2) && read_fd(values[0], fd)) {
    Py_buffer data;
    if (PyObject_GetBuffer(values[1], &data, PyBUF_SIMPLE) < 0) {
      PyErr_Clear();  // the call says it
    } else {
      PyObject* done = write_pipe(fd, data);
      PyBuffer_Release(&data);
      if (done != Py_None) return done;
      py::drop(done);
    }
  }
  return given.to(of_write.native);
}

PyObject* eventfd_read(PyObject*, PyObject* const* values, Py_ssize_t count,
                       PyObject* names) noexcept {
  const Given given{values, count, names};
  int fd = -1;
  if (can_park() && read_fd(given.only("fd"), fd) && !wait_where_no_file_is(fd)) {
    return nullptr;
  }
  return given.to(of_eventfd_read.native);
}

PyObject* sendfile(PyObject*, PyObject* const* values, Py_ssize_t count,
                   PyObject* names) noexcept {
  const Given given{values, count, names};
  PyObject* offset = given.at(2, "offset");
  int out = -1;
  int in = -1;
  Py_ssize_t at = 0;
  Py_ssize_t size = 0;
  if (can_park() && given.all() == 4 && offset && read_fd(given.at(0, "out_fd"), out) &&
      read_fd(given.at(1, "in_fd"), in) && read_index(given.at(3, "count"), size) &&
      (offset == Py_None || read_index(offset, at))) {
    PyObject* done = send_file(
        out, in, offset == Py_None ? std::nullopt : std::optional<off_t>(at), size);
    if (done != Py_None) return done;
    py::drop(done);
  }
  return given.to(of_sendfile.native);
}

struct Function {
  const char* name;
  StandIn& place;
  _PyCFunctionFastWithKeywords call;
};

constexpr Function functions[] = {
    {"close", of_close, close},
    {"closerange", of_closerange, closerange},
    {"dup2", of_dup2, dup2},
    {"read", of_read, read},
    {"write", of_write, write},
    {"eventfd_read", of_eventfd_read, eventfd_read},
    {"sendfile", of_sendfile, sendfile},
};

}  // namespace

PyObject* py_os_functions(PyObject*, PyObject* module) noexcept {
  py::Object made(PyDict_New());
  if (!made) return nullptr;
  for (const Function& each : functions) {
    const py::Object native(PyObject_GetAttrString(module, each.name));
    if (!native) return nullptr;
    // Somebody's who stands before ours since.
    if (each.place.native && each.place.native != native.get()) continue;
    each.place.method.ml_name = each.name;
    const py::Object function(stand_in(each.place, native.get(),
                                       py::as_method(each.call),
                                       METH_FASTCALL | METH_KEYWORDS));
    if (!function || PyDict_SetItemString(made.get(), each.name, function.get()) < 0) {
      return nullptr;
    }
  }
  return made.release();
}

}  // namespace celadon::green
