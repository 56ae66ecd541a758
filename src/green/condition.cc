// Condition: over any lock, with the one wait queue.
#include "green/hub.h"
#include "green/lock.h"
#include "green/sync.h"
#include "green/sync_object.h"

namespace celadon::green {
namespace {

struct ConditionState {
  py::Object lock;
  WaitQueue waiters;
  OfProcess<Py_ssize_t> notified;  // waiters that have not come back yet
};

int condition_init(PyObject* self, PyObject* args, PyObject* kwargs) noexcept {
  static const char* names[] = {"lock", nullptr};
  PyObject* lock = Py_None;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|O:Condition",
                                   const_cast<char**>(names), &lock)) {
    return -1;
  }
  if (lock != Py_None && !is_lock(lock)) {
    PyErr_SetString(PyExc_TypeError, "lock must be a Lock or an RLock of celadon");
    return -1;
  }
  auto& state = state_of<ConditionState>(self);
  state.lock = lock == Py_None ? make_rlock() : py::Object::copy(lock);
  return state.lock ? 0 : -1;
}

int condition_traverse(PyObject* self, visitproc visit, void* arg) noexcept {
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(state_of<ConditionState>(self).lock.get());
  return 0;
}

bool check_owned(const ConditionState& state, const char* what) noexcept {
  if (state.lock && lock_is_owned(state.lock.get())) return true;
  PyErr_Format(PyExc_RuntimeError, "cannot %s on un-acquired lock", what);
  return false;
}

Waited wait_for_notify(ConditionState& state, Nanos deadline) noexcept {
  const py::Object lock = py::Object::copy(state.lock.get());
  const unsigned long count = lock_release_save(lock.get());
  if (count == 0) return Waited::Interrupted;
  const Waited waited = wait_on(state.waiters, deadline, ParkReason::Event);
  lock_acquire_restore(lock.get(), count);
  if (waited == Waited::Granted) --*state.notified;
  return waited;
}

PyObject* condition_wait(PyObject* self, PyObject* args, PyObject* kwargs) noexcept {
  static const char* names[] = {"timeout", nullptr};
  PyObject* timeout = Py_None;
  long long nanos = -1;
  auto& state = state_of<ConditionState>(self);
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|O:wait", const_cast<char**>(names),
                                   &timeout) ||
      !py::parse_seconds(timeout, nanos) || !check_owned(state, "wait")) {
    return nullptr;
  }
  return waited_to_bool(wait_for_notify(state, deadline_after(nanos)));
}

PyObject* condition_wait_for(PyObject* self, PyObject* args,
                             PyObject* kwargs) noexcept {
  static const char* names[] = {"predicate", "timeout", nullptr};
  PyObject* predicate = nullptr;
  PyObject* timeout = Py_None;
  long long nanos = -1;
  auto& state = state_of<ConditionState>(self);
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|O:wait_for",
                                   const_cast<char**>(names), &predicate, &timeout) ||
      !py::parse_seconds(timeout, nanos)) {
    return nullptr;
  }
  const Nanos deadline = deadline_after(nanos);
  while (true) {
    py::Object result(PyObject_CallNoArgs(predicate));
    if (!result) return nullptr;
    const int truth = PyObject_IsTrue(result.get());
    if (truth < 0) return nullptr;
    if (truth || monotonic_now() >= deadline) return result.release();
    if (!check_owned(state, "wait")) return nullptr;
    if (wait_for_notify(state, deadline) == Waited::Interrupted) return nullptr;
  }
}

PyObject* condition_notify(PyObject* self, PyObject* args, PyObject* kwargs) noexcept {
  static const char* names[] = {"n", nullptr};
  long n = 1;
  auto& state = state_of<ConditionState>(self);
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|l:notify", const_cast<char**>(names),
                                   &n) ||
      !check_owned(state, "notify")) {
    return nullptr;
  }
  while (n-- > 0 && grant_first(state.waiters)) ++*state.notified;
  return py::none();
}

PyObject* condition_notify_all(PyObject* self, PyObject*) noexcept {
  auto& state = state_of<ConditionState>(self);
  if (!check_owned(state, "notify")) return nullptr;
  while (grant_first(state.waiters)) ++*state.notified;
  return py::none();
}

PyObject* condition_notified(PyObject* self, PyObject*) noexcept {
  return PyLong_FromSsize_t(*state_of<ConditionState>(self).notified);
}

PyObject* call_lock(PyObject* self, const char* method, PyObject* args,
                    PyObject* kwargs) noexcept {
  const py::Object bound(
      PyObject_GetAttrString(state_of<ConditionState>(self).lock.get(), method));
  return bound ? PyObject_Call(bound.get(), args, kwargs) : nullptr;
}
PyObject* condition_acquire(PyObject* self, PyObject* args, PyObject* kwargs) noexcept {
  return call_lock(self, "acquire", args, kwargs);
}
PyObject* condition_release(PyObject* self, PyObject*) noexcept {
  return PyObject_CallMethod(state_of<ConditionState>(self).lock.get(), "release",
                             nullptr);
}
PyObject* condition_enter(PyObject* self, PyObject*) noexcept {
  return PyObject_CallMethod(state_of<ConditionState>(self).lock.get(), "acquire",
                             nullptr);
}
PyObject* condition_exit(PyObject* self, PyObject* const*, Py_ssize_t) noexcept {
  return condition_release(self, nullptr);
}

int condition_clear(PyObject* self) noexcept {
  state_of<ConditionState>(self).lock.reset();
  return 0;
}

PyMethodDef condition_methods[] = {
    {"acquire", py::as_method(condition_acquire), METH_VARARGS | METH_KEYWORDS,
     "Acquire the lock."},
    {"release", condition_release, METH_NOARGS, "Release the lock."},
    {"__enter__", condition_enter, METH_NOARGS, "Acquire the lock."},
    {"__exit__", py::as_method(condition_exit), METH_FASTCALL, "Release the lock."},
    {"wait", py::as_method(condition_wait), METH_VARARGS | METH_KEYWORDS,
     "wait(timeout=None) -> bool\n\nLet go of the lock until notified, then take it "
     "again; `timeout` in seconds."},
    {"wait_for", py::as_method(condition_wait_for), METH_VARARGS | METH_KEYWORDS,
     "wait_for(predicate, timeout=None) -> the predicate's last value"},
    {"notify", py::as_method(condition_notify), METH_VARARGS | METH_KEYWORDS,
     "notify(n=1)"},
    {"notify_all", condition_notify_all, METH_NOARGS, "Wake all who wait."},
    {"notified", condition_notified, METH_NOARGS,
     "How many were notified and have not come back yet."},
    {nullptr, nullptr, 0, nullptr}};

}  // namespace

int add_condition_type(PyObject* module) noexcept {
  return add_sync<ConditionState>(module, "celadon._core.Condition", condition_methods,
                                  condition_init, condition_traverse, condition_clear,
                                  static_cast<unsigned>(Py_TPFLAGS_HAVE_GC));
}

}  // namespace celadon::green
