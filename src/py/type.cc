#include "py/type.h"

#include <algorithm>
#include <cmath>

namespace celadon::py {

PyTypeObject* add_type(PyObject* module, PyType_Spec& spec) noexcept {
  PyObject* type = PyType_FromModuleAndSpec(module, &spec, nullptr);
  if (!type) return nullptr;
  if (PyModule_AddType(module, reinterpret_cast<PyTypeObject*>(type)) < 0) {
    Py_DECREF(type);
    return nullptr;
  }
  return reinterpret_cast<PyTypeObject*>(type);
}

void free_object(PyObject* self) noexcept {
  PyTypeObject* type = Py_TYPE(self);
  type->tp_free(self);
  Py_DECREF(reinterpret_cast<PyObject*>(type));
}

bool parse_seconds(PyObject* value, long long& nanos) noexcept {
  nanos = -1;
  if (!value || value == Py_None) return true;
  const double seconds = PyFloat_AsDouble(value);
  if (seconds == -1.0 && PyErr_Occurred()) return false;
  if (std::isnan(seconds)) {
    PyErr_SetString(PyExc_ValueError, "Invalid value NaN (not a number)");
    return false;
  }
  constexpr double kMost = 9.2e18;
  const double exact = std::ceil(seconds * 1e9);
  nanos = exact > kMost ? -1 : static_cast<long long>(std::max(exact, 0.0));
  return true;
}

}  // namespace celadon::py
