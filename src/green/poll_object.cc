#include "green/poll_object.h"

#include <cstring>

namespace celadon::green {
namespace {

// The head of CPython's pollObject.
struct NativePoll {
  PyObject_HEAD PyObject* members;
};

[[maybe_unused]] bool is_poll(PyObject* object) noexcept {
  return std::strcmp(Py_TYPE(object)->tp_name, "select.poll") == 0 &&
         Py_TYPE(object)->tp_basicsize >= static_cast<Py_ssize_t>(sizeof(NativePoll));
}

}  // namespace

PyObject* py_poll_members(PyObject*, PyObject* object) noexcept {
#if PY_VERSION_HEX < 0x030F0000
  if (is_poll(object)) {
    PyObject* members = reinterpret_cast<NativePoll*>(object)->members;
    if (members && PyDict_Check(members)) return PyDict_Copy(members);
  }
#endif
  return py::none();
}

}  // namespace celadon::green
