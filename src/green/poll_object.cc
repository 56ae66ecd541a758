#include "green/poll_object.h"

#include <poll.h>

#include <cstring>

namespace celadon::green {
namespace {

// CPython's pollObject, from 3.11 to 3.15 at least. One that has changed has another
// size.
struct NativePoll {
  PyObject_HEAD PyObject* members;
  int are_descriptors_current;
  int descriptors_length;
  struct pollfd* descriptors;
  int is_running;
};

bool is_poll(PyObject* object) noexcept {
  return std::strcmp(Py_TYPE(object)->tp_name, "select.poll") == 0 &&
         Py_TYPE(object)->tp_basicsize == static_cast<Py_ssize_t>(sizeof(NativePoll));
}

}  // namespace

PyObject* py_poll_members(PyObject*, PyObject* object) noexcept {
  if (is_poll(object)) {
    PyObject* members = reinterpret_cast<NativePoll*>(object)->members;
    if (members && PyDict_Check(members)) return PyDict_Copy(members);
  }
  return py::none();
}

}  // namespace celadon::green
