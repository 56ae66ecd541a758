#include "asgi/message.h"

#include "gateway/text.h"
#include "py/brief.h"

namespace celadon::asgi {

std::string_view Message::type() noexcept {
  if (!PyDict_Check(dict_)) {
    py::raise_about(PyExc_TypeError, "send() takes a dict, not %U", dict_);
    return {};
  }
  PyObject* type = need(Name::Type);
  std::string_view text;
  if (type && (!PyUnicode_Check(type) || !gateway::latin1_view(type, text)))
    py::raise_about(PyExc_TypeError, "the type of a message must be a str, not %U",
                    type);
  if (type && text.empty() && !PyErr_Occurred())
    py::raise_about(PyExc_ValueError, "a message without a type: %U", dict_);
  return text;
}

PyObject* Message::find(Name name) noexcept {
  return PyDict_GetItemWithError(dict_, name_of(name));
}

PyObject* Message::need(Name name) noexcept {
  PyObject* found = find(name);
  if (!found && !PyErr_Occurred()) {
    const py::Object what = py::brief(dict_);
    if (what)
      PyErr_Format(PyExc_ValueError, "the message lacks \"%U\": %U", name_of(name),
                   what.get());
  }
  return found;
}

bool Message::flag(Name name, bool& out) noexcept {
  PyObject* found = find(name);
  if (!found) return !PyErr_Occurred();
  if (!PyBool_Check(found)) {
    const py::Object what = py::brief(found);
    if (what)
      PyErr_Format(PyExc_TypeError, "\"%U\" must be a bool, not %U", name_of(name),
                   what.get());
    return false;
  }
  out = found == Py_True;
  return true;
}

py::Object as_bytes(PyObject* value, const char* format) noexcept {
  if (PyBytes_Check(value)) return py::Object::copy(value);
  if (PyByteArray_Check(value) || PyMemoryView_Check(value))
    return py::Object(PyBytes_FromObject(value));
  py::raise_about(PyExc_TypeError, format, value);
  return {};
}

}  // namespace celadon::asgi
