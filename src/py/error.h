// The current exception, taken off and put back: no call into Python and no switch may
// happen while one is set.
#pragma once

#include "py/ref.h"

namespace celadon::py {

// Takes the current exception as an instance with its traceback; empty if none is set.
[[nodiscard]] inline Object take_error() noexcept {
#if PY_VERSION_HEX >= 0x030C0000
  return Object(PyErr_GetRaisedException());
#else
  PyObject *type = nullptr, *value = nullptr, *trace = nullptr;
  PyErr_Fetch(&type, &value, &trace);
  if (!type) return {};
  PyErr_NormalizeException(&type, &value, &trace);
  if (trace) PyException_SetTraceback(value, trace);
  Py_DECREF(type);
  Py_XDECREF(trace);
  return Object(value);
#endif
}

// Makes it the current one again; nothing happens for an empty one.
inline void restore_error(Object error) noexcept {
  if (!error) return;
#if PY_VERSION_HEX >= 0x030C0000
  PyErr_SetRaisedException(error.release());
#else
  PyObject* value = error.release();
  PyErr_Restore(new_ref(reinterpret_cast<PyObject*>(Py_TYPE(value))), value,
                PyException_GetTraceback(value));
#endif
}

}  // namespace celadon::py
