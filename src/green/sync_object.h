// What the types of the wait queue's primitives share.
#pragma once

#include <cstddef>
#include <cstring>
#include <new>

#include "green/waiter.h"
#include "py/type.h"

namespace celadon::green {

// Every type here is a Python object head, a weak reference list and a C++ state.
template <class State>
struct SyncObject {
  PyObject_HEAD PyObject* weakrefs;
  State state;
};

template <class State>
State& state_of(PyObject* self) noexcept {
  return reinterpret_cast<SyncObject<State>*>(self)->state;
}

template <class State>
PyObject* make_sync(PyTypeObject* type, PyObject* args, PyObject* kwargs) noexcept {
  const bool has_args =
      PyTuple_GET_SIZE(args) > 0 || (kwargs && PyDict_GET_SIZE(kwargs) > 0);
  if (has_args && type->tp_init == PyBaseObject_Type.tp_init) {
    const char* dot = std::strrchr(type->tp_name, '.');
    PyErr_Format(PyExc_TypeError, "%s() takes no arguments",
                 dot ? dot + 1 : type->tp_name);
    return nullptr;
  }
  auto* self = reinterpret_cast<SyncObject<State>*>(type->tp_alloc(type, 0));
  if (self) ::new (&self->state) State();
  return reinterpret_cast<PyObject*>(self);
}

template <class State>
void destroy_sync(PyObject* self) noexcept {
  PyTypeObject* type = Py_TYPE(self);
  if (PyType_IS_GC(type)) PyObject_GC_UnTrack(self);
  auto* object = reinterpret_cast<SyncObject<State>*>(self);
  if (object->weakrefs) PyObject_ClearWeakRefs(self);
  object->state.~State();
  py::free_object(self);
}

template <class State>
PyMemberDef* weak_member() noexcept {
  static PyMemberDef members[] = {
      {"__weaklistoffset__", T_PYSSIZET, offsetof(SyncObject<State>, weakrefs),
       READONLY, nullptr},
      {nullptr, 0, 0, 0, nullptr}};
  return members;
}

inline PyObject* waited_to_bool(Waited waited) noexcept {
  return waited == Waited::Interrupted ? nullptr
                                       : py::boolean(waited == Waited::Granted);
}

template <class State>
int add_sync(PyObject* module, const char* name, PyMethodDef* methods, initproc init,
             traverseproc traverse, inquiry clear, unsigned flags) noexcept {
  PyType_Slot slots[8];
  int n = 0;
  slots[n++] = {Py_tp_new, py::as_slot(make_sync<State>)};
  slots[n++] = {Py_tp_dealloc, py::as_slot(destroy_sync<State>)};
  slots[n++] = {Py_tp_methods, methods};
  slots[n++] = {Py_tp_members, weak_member<State>()};
  if (init) slots[n++] = {Py_tp_init, py::as_slot(init)};
  if (traverse) slots[n++] = {Py_tp_traverse, py::as_slot(traverse)};
  if (clear) slots[n++] = {Py_tp_clear, py::as_slot(clear)};
  slots[n] = {0, nullptr};
  PyType_Spec spec{
      name, sizeof(SyncObject<State>), 0,
      static_cast<unsigned>(Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE) | flags, slots};
  return py::add_type(module, spec) ? 0 : -1;
}

}  // namespace celadon::green
