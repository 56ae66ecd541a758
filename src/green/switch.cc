#include "green/switch.h"

#include <greenlet/greenlet.h>

namespace celadon::green {
namespace {
PyGreenlet* as_greenlet(PyObject* object) noexcept {
  return reinterpret_cast<PyGreenlet*>(object);
}
}  // namespace

int import_greenlet() noexcept {
  PyGreenlet_Import();
  return _PyGreenlet_API ? 0 : -1;
}

py::Object current_greenlet() noexcept {
  return py::Object(reinterpret_cast<PyObject*>(PyGreenlet_GetCurrent()));
}

py::Object new_greenlet(PyObject* run, PyObject* parent) noexcept {
  return py::Object(
      reinterpret_cast<PyObject*>(PyGreenlet_New(run, as_greenlet(parent))));
}

py::Object switch_to(PyObject* greenlet) noexcept {
  return py::Object(PyGreenlet_Switch(as_greenlet(greenlet), nullptr, nullptr));
}

void throw_exit(PyObject* greenlet) noexcept {
  const py::Object result(
      PyGreenlet_Throw(as_greenlet(greenlet), PyExc_GreenletExit, nullptr, nullptr));
  if (!result) PyErr_Clear();
}

bool is_active(PyObject* greenlet) noexcept {
  return PyGreenlet_ACTIVE(as_greenlet(greenlet)) != 0;
}

PyObject* greenlet_exit_type() noexcept {
  return PyExc_GreenletExit;
}

}  // namespace celadon::green
