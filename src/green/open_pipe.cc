#include "green/open_pipe.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cstdint>
#include <string_view>

#include "green/hub.h"
#include "green/stand_in.h"
#include "py/gil.h"
#include "py/type.h"

namespace celadon::green {
namespace {

StandIn of_open, of_os_open;

struct Arguments {
  PyObject* const* values;
  Py_ssize_t count;
  PyObject* names;

  [[nodiscard]] PyObject* named(std::string_view name) const noexcept {
    const Py_ssize_t named = names ? PyTuple_GET_SIZE(names) : 0;
    for (Py_ssize_t i = 0; i < named; ++i) {
      const char* each = PyUnicode_AsUTF8(PyTuple_GET_ITEM(names, i));
      if (each && name == each) return values[count + i];
    }
    return nullptr;
  }
};

int number_of(PyObject* object, int otherwise) noexcept {
  if (!object || !PyLong_Check(object)) return otherwise;
  const long value = PyLong_AsLong(object);
  PyErr_Clear();  // the call says it
  return value == static_cast<int>(value) ? static_cast<int>(value) : otherwise;
}

bool is_open_pipe(int fd) noexcept {
  struct stat status{};
  if (::fstat(fd, &status) < 0) return false;
  const bool waits =
      S_ISFIFO(status.st_mode) || (S_ISCHR(status.st_mode) && ::isatty(fd));
  return waits && !(::fcntl(fd, F_GETFL) & O_NONBLOCK);
}

// By the numbers of its device: to open it is to be seen by its other side.
bool is_terminal(const struct stat& status) noexcept {
  if (!S_ISCHR(status.st_mode)) return false;
  const unsigned kind = major(status.st_rdev);
  return kind == 4 || kind == 5 || (kind >= 136 && kind <= 143);
}

enum class Sort : std::uint8_t { Pipe, Terminal, Other };

Sort sort_of(PyObject* path, int folder) noexcept {
  PyObject* encoded = nullptr;
  if (!PyUnicode_FSConverter(path, static_cast<void*>(&encoded))) {
    PyErr_Clear();  // the call says it
    return Sort::Other;
  }
  const py::Object owned(encoded);
  const char* name = PyBytes_AS_STRING(encoded);
  struct stat status{};
  const py::WithoutGil without;  // a file may be far away
  if (::fstatat(folder, name, &status, 0) < 0) return Sort::Other;
  if (S_ISFIFO(status.st_mode)) return Sort::Pipe;
  return is_terminal(status) ? Sort::Terminal : Sort::Other;
}

PyObject* open(PyObject*, PyObject* const* values, Py_ssize_t count,
               PyObject* names) noexcept {
  const Arguments given{values, count, names};
  PyObject* file = count > 0 ? values[0] : given.named("file");
  bool pipe = false;
  if (file && can_park()) {
    pipe = PyLong_Check(file) ? is_open_pipe(number_of(file, -1))
                              : sort_of(file, AT_FDCWD) != Sort::Other;
  }
  PyObject* function = pipe ? of_open.instead : of_open.native;
  return PyObject_Vectorcall(function, values, static_cast<std::size_t>(count), names);
}

PyObject* os_open(PyObject*, PyObject* const* values, Py_ssize_t count,
                  PyObject* names) noexcept {
  const Arguments given{values, count, names};
  PyObject* path = count > 0 ? values[0] : given.named("path");
  const bool pipe =
      path && can_park() &&
      sort_of(path, number_of(given.named("dir_fd"), AT_FDCWD)) == Sort::Pipe;
  PyObject* function = pipe ? of_os_open.instead : of_os_open.native;
  return PyObject_Vectorcall(function, values, static_cast<std::size_t>(count), names);
}

PyObject* make(StandIn& place, _PyCFunctionFastWithKeywords call, PyObject* const* args,
               Py_ssize_t count) noexcept {
  if (count != 2 || !PyCFunction_Check(args[0])) {
    PyErr_SetString(PyExc_TypeError, "expected a function of C, and one that waits");
    return nullptr;
  }
  if (!place.instead) place.instead = py::new_ref(args[1]);
  return stand_in(place, args[0], py::as_method(call), METH_FASTCALL | METH_KEYWORDS);
}

}  // namespace

PyObject* py_before_open(PyObject*, PyObject* const* args, Py_ssize_t count) noexcept {
  return make(of_open, open, args, count);
}

PyObject* py_before_os_open(PyObject*, PyObject* const* args,
                            Py_ssize_t count) noexcept {
  return make(of_os_open, os_open, args, count);
}

}  // namespace celadon::green
