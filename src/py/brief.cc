#include "py/brief.h"

#include <algorithm>

namespace celadon::py {
namespace {

constexpr Py_ssize_t kShown = 100;  // characters

// What of it the repr is taken of: that of a long text is not made as a whole.
Object beginning_of(PyObject* value) noexcept {
  if (PyUnicode_Check(value)) return Object(PyUnicode_Substring(value, 0, kShown + 1));
  if (PyBytes_Check(value)) {
    const Py_ssize_t size = std::min(PyBytes_GET_SIZE(value), kShown + 1);
    return Object(PyBytes_FromStringAndSize(PyBytes_AS_STRING(value), size));
  }
  return Object::copy(value);
}

}  // namespace

Object brief(PyObject* value) noexcept {
  const char* type = Py_TYPE(value)->tp_name;
  const Object beginning = beginning_of(value);
  if (!beginning) return {};
  const Object text(PyObject_Repr(beginning.get()));
  if (!text) {
    // Its own fault is not what the message is about; the end of a request is none.
    if (!PyErr_ExceptionMatches(PyExc_Exception)) return {};
    PyErr_Clear();
    return Object(PyUnicode_FromString(type));
  }
  if (PyUnicode_GET_LENGTH(text.get()) <= kShown) {
    return Object(PyUnicode_FromFormat("%s %U", type, text.get()));
  }
  const Object shown(PyUnicode_Substring(text.get(), 0, kShown));
  return Object(shown ? PyUnicode_FromFormat("%s %U...", type, shown.get()) : nullptr);
}

void raise_about(PyObject* type, const char* format, PyObject* value) noexcept {
  if (const Object text = brief(value)) PyErr_Format(type, format, text.get());
}

}  // namespace celadon::py
