// SimpleQueue: unbounded, first in first out, put() may be called anywhere.
#include <deque>

#include "green/hub.h"
#include "green/lock.h"
#include "green/sync.h"
#include "green/sync_object.h"

namespace celadon::green {
namespace {

PyObject* empty_error = nullptr;  // queue.Empty

struct QueueState {
  std::deque<PyObject*> items;
  WaitQueue waiters;
  // Items promised to waiters that were granted but have not run yet.
  OfProcess<std::size_t> promised;
  ~QueueState() {
    for (PyObject* item : items) py::Object(item).reset();
  }
};

int queue_traverse(PyObject* self, visitproc visit, void* arg) noexcept {
  Py_VISIT(Py_TYPE(self));
  for (PyObject* item : state_of<QueueState>(self).items) Py_VISIT(item);
  return 0;
}

int queue_clear(PyObject* self) noexcept {
  std::deque<PyObject*> items;
  items.swap(state_of<QueueState>(self).items);
  for (PyObject* item : items) py::Object(item).reset();
  return 0;
}

PyObject* put_item(PyObject* self, PyObject* item) noexcept {
  auto& state = state_of<QueueState>(self);
  state.items.push_back(py::new_ref(item));
  if (grant_first(state.waiters)) ++*state.promised;
  return py::none();
}

PyObject* queue_put(PyObject* self, PyObject* args, PyObject* kwargs) noexcept {
  static const char* names[] = {"item", "block", "timeout", nullptr};
  PyObject* item = nullptr;
  PyObject* block = nullptr;  // accepted for compatibility, as CPython does
  PyObject* timeout = nullptr;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|OO:put", const_cast<char**>(names),
                                   &item, &block, &timeout)) {
    return nullptr;
  }
  return put_item(self, item);
}

PyObject* queue_put_nowait(PyObject* self, PyObject* args, PyObject* kwargs) noexcept {
  static const char* names[] = {"item", nullptr};
  PyObject* item = nullptr;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O:put_nowait",
                                   const_cast<char**>(names), &item)) {
    return nullptr;
  }
  return put_item(self, item);
}

PyObject* take_item(QueueState& state) noexcept {
  PyObject* item = state.items.front();
  state.items.pop_front();
  return item;
}

PyObject* get_item(PyObject* self, bool block, Nanos deadline) noexcept {
  auto& state = state_of<QueueState>(self);
  if (state.items.size() > *state.promised) return take_item(state);
  if (block) {
    const py::Object alive = py::Object::copy(self);
    switch (wait_on(state.waiters, deadline, ParkReason::Queue)) {
      case Waited::Granted: --*state.promised; return take_item(state);
      case Waited::Interrupted: return nullptr;
      case Waited::TimedOut: break;
    }
  }
  PyErr_SetNone(empty_error);
  return nullptr;
}

PyObject* queue_get(PyObject* self, PyObject* args, PyObject* kwargs) noexcept {
  static const char* names[] = {"block", "timeout", nullptr};
  int block = 1;
  PyObject* timeout = Py_None;
  long long nanos = -1;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|pO:get", const_cast<char**>(names),
                                   &block, &timeout) ||
      !py::parse_seconds(timeout, nanos)) {
    return nullptr;
  }
  if (block && timeout != Py_None && PyFloat_AsDouble(timeout) < 0) {
    PyErr_SetString(PyExc_ValueError, "'timeout' must be a non-negative number");
    return nullptr;
  }
  return get_item(self, block != 0, deadline_after(nanos));
}

PyObject* queue_get_nowait(PyObject* self, PyObject*) noexcept {
  return get_item(self, false, kNever);
}

std::size_t queue_size(PyObject* self) noexcept {
  auto& state = state_of<QueueState>(self);
  return state.items.size() - *state.promised;
}
PyObject* queue_empty(PyObject* self, PyObject*) noexcept {
  return py::boolean(queue_size(self) == 0);
}
PyObject* queue_qsize(PyObject* self, PyObject*) noexcept {
  return PyLong_FromSize_t(queue_size(self));
}

PyMethodDef queue_methods[] = {
    {"put", py::as_method(queue_put), METH_VARARGS | METH_KEYWORDS,
     "put(item, block=True, timeout=None)\n\nNever blocks; may be called anywhere."},
    {"put_nowait", py::as_method(queue_put_nowait), METH_VARARGS | METH_KEYWORDS,
     "put_nowait(item)"},
    {"get", py::as_method(queue_get), METH_VARARGS | METH_KEYWORDS,
     "get(block=True, timeout=None)\n\nRaises queue.Empty."},
    {"get_nowait", queue_get_nowait, METH_NOARGS, "get(block=False)"},
    {"empty", queue_empty, METH_NOARGS, "Whether get() would wait."},
    {"qsize", queue_qsize, METH_NOARGS, "How many items there are."},
    {"__class_getitem__", Py_GenericAlias, METH_O | METH_CLASS, "For type hints."},
    {nullptr, nullptr, 0, nullptr}};

}  // namespace

int add_queue_type(PyObject* module) noexcept {
  const py::Object queue_module(PyImport_ImportModule("_queue"));
  if (!queue_module) return -1;
  empty_error = PyObject_GetAttrString(queue_module.get(), "Empty");
  if (!empty_error) return -1;
  return add_sync<QueueState>(module, "celadon._core.SimpleQueue", queue_methods,
                              nullptr, queue_traverse, queue_clear,
                              static_cast<unsigned>(Py_TPFLAGS_HAVE_GC));
}

}  // namespace celadon::green
