// Event, Semaphore, BoundedSemaphore, Condition and SimpleQueue over the one wait
// queue.
#include "green/sync.h"

#include <deque>
#include <new>

#include "green/hub.h"
#include "green/lock.h"
#include "py/type.h"

namespace celadon::green {
namespace {

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
PyObject* make_sync(PyTypeObject* type, PyObject*, PyObject*) noexcept {
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

PyObject* to_bool(Waited waited) noexcept {
  return waited == Waited::Interrupted ? nullptr
                                       : py::boolean(waited == Waited::Granted);
}

// --- Event ---

struct EventState {
  bool set = false;
  WaitQueue waiters;
};

PyObject* event_wait(PyObject* self, PyObject* args, PyObject* kwargs) noexcept {
  static const char* names[] = {"timeout", nullptr};
  PyObject* timeout = Py_None;
  long long nanos = -1;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|O:wait", const_cast<char**>(names),
                                   &timeout) ||
      !py::parse_seconds(timeout, nanos)) {
    return nullptr;
  }
  auto& state = state_of<EventState>(self);
  if (state.set) return py::boolean(true);
  return to_bool(wait_on(state.waiters, deadline_after(nanos), ParkReason::Event));
}

PyObject* event_set(PyObject* self, PyObject*) noexcept {
  auto& state = state_of<EventState>(self);
  state.set = true;
  while (grant_first(state.waiters)) {
  }
  return py::none();
}

PyObject* event_clear(PyObject* self, PyObject*) noexcept {
  state_of<EventState>(self).set = false;
  return py::none();
}

PyObject* event_is_set(PyObject* self, PyObject*) noexcept {
  return py::boolean(state_of<EventState>(self).set);
}

PyObject* event_reinit(PyObject* self, PyObject*) noexcept {
  state_of<EventState>(self).waiters.clear();
  return py::none();
}

PyMethodDef event_methods[] = {
    {"wait", py::as_method(event_wait), METH_VARARGS | METH_KEYWORDS,
     "wait(timeout=None) -> bool\n\nWait until set; `timeout` in seconds. False: it "
     "passed."},
    {"set", event_set, METH_NOARGS, "Set it, and wake all who wait."},
    {"clear", event_clear, METH_NOARGS, "Reset it."},
    {"is_set", event_is_set, METH_NOARGS, "Whether it is set."},
    {"_at_fork_reinit", event_reinit, METH_NOARGS, "Forget waiters in a forked child."},
    {nullptr, nullptr, 0, nullptr}};

// --- Semaphore ---

struct SemaphoreState {
  long value = 1;
  long bound = -1;  // -1: none
  WaitQueue waiters;
};

int init_semaphore(PyObject* self, PyObject* args, PyObject* kwargs,
                   bool bounded) noexcept {
  static const char* names[] = {"value", nullptr};
  long value = 1;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|l:Semaphore",
                                   const_cast<char**>(names), &value)) {
    return -1;
  }
  if (value < 0) {
    PyErr_SetString(PyExc_ValueError, "semaphore initial value must be >= 0");
    return -1;
  }
  auto& state = state_of<SemaphoreState>(self);
  state.value = value;
  state.bound = bounded ? value : -1;
  return 0;
}
int semaphore_init(PyObject* self, PyObject* args, PyObject* kwargs) noexcept {
  return init_semaphore(self, args, kwargs, false);
}
int bounded_init(PyObject* self, PyObject* args, PyObject* kwargs) noexcept {
  return init_semaphore(self, args, kwargs, true);
}

PyObject* take_semaphore(SemaphoreState& state, const AcquireArgs& args) noexcept {
  if (state.value > 0) {
    --state.value;
    return py::boolean(true);
  }
  if (!args.blocking) return py::boolean(false);
  return to_bool(wait_on(state.waiters, args.deadline, ParkReason::Lock));
}

PyObject* semaphore_acquire(PyObject* self, PyObject* args, PyObject* kwargs) noexcept {
  static const char* names[] = {"blocking", "timeout", nullptr};
  int blocking = 1;
  PyObject* timeout = Py_None;
  long long nanos = -1;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|pO:acquire",
                                   const_cast<char**>(names), &blocking, &timeout) ||
      !py::parse_seconds(timeout, nanos)) {
    return nullptr;
  }
  if (!blocking && timeout != Py_None) {
    PyErr_SetString(PyExc_ValueError, "can't specify timeout for non-blocking acquire");
    return nullptr;
  }
  return take_semaphore(state_of<SemaphoreState>(self),
                        {blocking != 0, deadline_after(nanos)});
}

PyObject* semaphore_enter(PyObject* self, PyObject*) noexcept {
  return take_semaphore(state_of<SemaphoreState>(self), {});
}

PyObject* semaphore_release(PyObject* self, PyObject* args, PyObject* kwargs) noexcept {
  static const char* names[] = {"n", nullptr};
  long n = 1;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|l:release",
                                   const_cast<char**>(names), &n)) {
    return nullptr;
  }
  if (n < 1) {
    PyErr_SetString(PyExc_ValueError, "n must be one or more");
    return nullptr;
  }
  auto& state = state_of<SemaphoreState>(self);
  if (state.bound >= 0 && state.value + n > state.bound) {
    PyErr_SetString(PyExc_ValueError, "Semaphore released too many times");
    return nullptr;
  }
  // A grant takes its unit with it: nobody can snatch it in between.
  while (n > 0 && grant_first(state.waiters)) --n;
  state.value += n;
  return py::none();
}

PyObject* semaphore_exit(PyObject* self, PyObject* const*, Py_ssize_t) noexcept {
  auto& state = state_of<SemaphoreState>(self);
  if (!grant_first(state.waiters)) ++state.value;
  return py::none();
}

PyObject* semaphore_locked(PyObject* self, PyObject*) noexcept {
  return py::boolean(state_of<SemaphoreState>(self).value == 0);
}

PyMethodDef semaphore_methods[] = {
    {"acquire", py::as_method(semaphore_acquire), METH_VARARGS | METH_KEYWORDS,
     "acquire(blocking=True, timeout=None) -> bool"},
    {"release", py::as_method(semaphore_release), METH_VARARGS | METH_KEYWORDS,
     "release(n=1)"},
    {"locked", semaphore_locked, METH_NOARGS, "Whether acquire() would wait."},
    {"__enter__", semaphore_enter, METH_NOARGS, "Acquire."},
    {"__exit__", py::as_method(semaphore_exit), METH_FASTCALL, "Release."},
    {nullptr, nullptr, 0, nullptr}};

// --- Condition ---

struct ConditionState {
  py::Object lock;
  WaitQueue waiters;
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
  const Waited waited = wait_on(state.waiters, deadline, ParkReason::Event);
  lock_acquire_restore(lock.get(), count);
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
  return to_bool(wait_for_notify(state, deadline_after(nanos)));
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
  while (n-- > 0 && grant_first(state.waiters)) {
  }
  return py::none();
}

PyObject* condition_notify_all(PyObject* self, PyObject*) noexcept {
  auto& state = state_of<ConditionState>(self);
  if (!check_owned(state, "notify")) return nullptr;
  while (grant_first(state.waiters)) {
  }
  return py::none();
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
    {nullptr, nullptr, 0, nullptr}};

// --- SimpleQueue ---

PyObject* empty_error = nullptr;  // queue.Empty

struct QueueState {
  std::deque<PyObject*> items;
  WaitQueue waiters;
  // Items promised to waiters that were granted but have not run yet.
  std::size_t promised = 0;
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
  if (grant_first(state.waiters)) ++state.promised;
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

PyObject* take_item(QueueState& state) noexcept {
  PyObject* item = state.items.front();
  state.items.pop_front();
  return item;
}

PyObject* get_item(PyObject* self, bool block, Nanos deadline) noexcept {
  auto& state = state_of<QueueState>(self);
  if (state.items.size() > state.promised) return take_item(state);
  if (block) {
    const py::Object alive = py::Object::copy(self);
    switch (wait_on(state.waiters, deadline, ParkReason::Queue)) {
      case Waited::Granted: --state.promised; return take_item(state);
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
  if (block && timeout != Py_None && nanos < 0) {
    PyErr_SetString(PyExc_ValueError, "'timeout' must be a non-negative number");
    return nullptr;
  }
  return get_item(self, block != 0, deadline_after(nanos));
}

PyObject* queue_get_nowait(PyObject* self, PyObject*) noexcept {
  return get_item(self, false, kNever);
}

std::size_t queue_size(PyObject* self) noexcept {
  const auto& state = state_of<QueueState>(self);
  return state.items.size() - state.promised;
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
    {"put_nowait", py::as_method(queue_put), METH_VARARGS | METH_KEYWORDS,
     "put_nowait(item)"},
    {"get", py::as_method(queue_get), METH_VARARGS | METH_KEYWORDS,
     "get(block=True, timeout=None)\n\nRaises queue.Empty."},
    {"get_nowait", queue_get_nowait, METH_NOARGS, "get(block=False)"},
    {"empty", queue_empty, METH_NOARGS, "Whether get() would wait."},
    {"qsize", queue_qsize, METH_NOARGS, "How many items there are."},
    {"__class_getitem__", Py_GenericAlias, METH_O | METH_CLASS, "For type hints."},
    {nullptr, nullptr, 0, nullptr}};

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

int condition_clear(PyObject* self) noexcept {
  state_of<ConditionState>(self).lock.reset();
  return 0;
}

}  // namespace

int add_sync_types(PyObject* module) noexcept {
  const py::Object queue_module(PyImport_ImportModule("_queue"));
  if (!queue_module) return -1;
  empty_error = PyObject_GetAttrString(queue_module.get(), "Empty");
  if (!empty_error) return -1;
  constexpr auto kGc = static_cast<unsigned>(Py_TPFLAGS_HAVE_GC);
  if (add_sync<EventState>(module, "celadon._core.Event", event_methods, nullptr,
                           nullptr, nullptr, 0) < 0 ||
      add_sync<SemaphoreState>(module, "celadon._core.Semaphore", semaphore_methods,
                               semaphore_init, nullptr, nullptr, 0) < 0 ||
      add_sync<SemaphoreState>(module, "celadon._core.BoundedSemaphore",
                               semaphore_methods, bounded_init, nullptr, nullptr,
                               0) < 0 ||
      add_sync<ConditionState>(module, "celadon._core.Condition", condition_methods,
                               condition_init, condition_traverse, condition_clear,
                               kGc) < 0 ||
      add_sync<QueueState>(module, "celadon._core.SimpleQueue", queue_methods, nullptr,
                           queue_traverse, queue_clear, kGc) < 0) {
    return -1;
  }
  return 0;
}

}  // namespace celadon::green
