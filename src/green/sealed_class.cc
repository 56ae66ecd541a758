#include "green/sealed_class.h"

namespace celadon::green {
namespace {

// Those that are no heap type belong to all interpreters of the process.
PyTypeObject* class_of_module(PyObject* object) noexcept {
  auto* type = reinterpret_cast<PyTypeObject*>(object);
  return PyType_Check(object) && PyType_HasFeature(type, Py_TPFLAGS_HEAPTYPE) ? type
                                                                              : nullptr;
}

}  // namespace

PyObject* py_set_in_class(PyObject*, PyObject* const* args, Py_ssize_t count) noexcept {
  PyTypeObject* type = count == 3 ? class_of_module(args[0]) : nullptr;
  if (!type) {
    PyErr_SetString(PyExc_TypeError, "set_in_class(class of a module, name, value)");
    return nullptr;
  }
  const unsigned long seal = type->tp_flags & Py_TPFLAGS_IMMUTABLETYPE;
  type->tp_flags &= ~seal;
  const int status = PyObject_SetAttr(args[0], args[1], args[2]);
  type->tp_flags |= seal;
  return status < 0 ? nullptr : py::none();
}

}  // namespace celadon::green
