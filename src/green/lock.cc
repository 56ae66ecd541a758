#include "green/lock.h"

#include <new>

#include "green/hub.h"
#include "green/identity.h"
#include "green/sync_object.h"
#include "py/error.h"
#include "py/type.h"

namespace celadon::green {
namespace {
PyTypeObject* lock_type = nullptr;
PyTypeObject* rlock_type = nullptr;

template <class T>
T& self_as(PyObject* self) noexcept {
  return *reinterpret_cast<T*>(self);
}

template <class T>
PyObject* make_object(PyTypeObject* type, PyObject*, PyObject*) noexcept {
  auto* self = reinterpret_cast<T*>(type->tp_alloc(type, 0));
  if (self) ::new (&self->state) LockState();
  return reinterpret_cast<PyObject*>(self);
}

template <class T>
void destroy_object(PyObject* self) noexcept {
  if (self_as<T>(self).weakrefs) PyObject_ClearWeakRefs(self);
  self_as<T>(self).state.~LockState();
  py::free_object(self);
}

}  // namespace

void LockState::own(unsigned long ident) noexcept {
  owner_ = ident;
  owner_hub_ = Hub::here();
  Strand* strand = owner_hub_ ? owner_hub_->current() : nullptr;
  owner_job_ = strand ? strand->jobs() : 0;
  owner_thread_ = thread_ident();
  owner_step_ = strand ? strand->step() : 0;
  be_held_by(strand);
}

// A greenlet that has had it for a loop may have another job by now.
bool LockState::is_owner() const noexcept {
  if (owner_ != current_ident()) return false;
  const Strand* strand = current_strand();
  return owner_step_ == 0 || (strand && strand->jobs() == owner_job_);
}

bool LockState::is_mine() const noexcept {
  if (owner_ == 0) return false;
  return is_owner() || (owner_thread_ == thread_ident() && !is_under_way(owner_step_));
}

bool LockState::is_my_threads() const noexcept {
  return owner_ != 0 && (owner_thread_ == thread_ident() || is_owner());
}

void LockState::enter_again(unsigned long ident) noexcept {
  if (owner_ != ident) return own(ident);
  owner_step_ = current_step();
}

void LockState::be_held_by(Strand* strand) noexcept {
  held_.unlink();
  if (strand) strand->locks_held().push_back(held_);
}

bool LockState::is_other_greenlets(unsigned long ident) const noexcept {
  const Hub* hub = Hub::here();
  if (!hub) return false;
  if (owner_hub_ == hub && owner_ != ident) return true;
  for (Waiter* w = waiters_->front(); w; w = waiters_->next(*w)) {
    if (w->of_hub == hub) return true;
  }
  return false;
}

void LockState::raise_deadlock() const noexcept {
  PyErr_Format(
      PyExc_RuntimeError,
      "deadlock: the lock is held by %lu, or goes to another greenlet of this thread "
      "next, and nothing can be waited for here (a finalizer, a signal handler or "
      "the hub)",
      owner_);
}

bool LockState::can_come_back(unsigned long ident) const noexcept {
  if (can_park() || !is_other_greenlets(ident)) return true;
  raise_deadlock();
  return false;
}

Waited LockState::acquire(unsigned long ident, Nanos deadline, bool shielded) noexcept {
  if (owner_ == 0) {
    own(ident);
    return Waited::Granted;
  }
  const bool mine = owner_hub_ && owner_hub_ == Hub::here() && owner_ == ident;
  if (deadline == kNever && !can_park() && (mine || is_other_greenlets(ident))) {
    raise_deadlock();
    return Waited::Interrupted;
  }
  Strand* strand = can_park() ? current_strand() : nullptr;
  if (strand) strand->lock = this;
  const Waited waited =
      wait_on(waiters_, deadline, ParkReason::Lock, shielded || brief_);
  if (strand) strand->lock = nullptr;
  return waited;
}

// The next holder owns it from now on, before it runs: nobody can come in between.
void LockState::release() noexcept {
  Waiter* next = grant_first(waiters_);
  owner_ = next ? next->ident : 0;
  owner_hub_ = next ? next->of_hub : nullptr;
  owner_job_ = next ? next->ident_job : 0;
  owner_thread_ = next ? next->known_ident : 0;
  owner_step_ = next ? next->known_step : 0;
  be_held_by(next ? next->as_strand() : nullptr);
}

void LockState::reinit() noexcept {
  waiters_->clear();
  held_.unlink();
  owner_ = 0;
  owner_hub_ = nullptr;
}

bool parse_acquire(PyObject* const* args, Py_ssize_t count, PyObject* names,
                   AcquireArgs& out) noexcept {
  PyObject* values[2] = {nullptr, nullptr};
  if (count > 2) {
    PyErr_SetString(PyExc_TypeError, "acquire() takes at most 2 arguments");
    return false;
  }
  for (Py_ssize_t i = 0; i < count; ++i) values[i] = args[i];
  const Py_ssize_t keywords = names ? PyTuple_GET_SIZE(names) : 0;
  for (Py_ssize_t i = 0; i < keywords; ++i) {
    PyObject* name = PyTuple_GET_ITEM(names, i);
    const bool timeout = PyUnicode_CompareWithASCIIString(name, "timeout") == 0;
    if (!timeout && PyUnicode_CompareWithASCIIString(name, "blocking") != 0) {
      PyErr_Format(PyExc_TypeError, "'%U' is an invalid keyword argument for acquire()",
                   name);
      return false;
    }
    values[timeout ? 1 : 0] = args[count + i];
  }
  if (values[0]) {
    const int truth = PyObject_IsTrue(values[0]);
    if (truth < 0) return false;
    out.blocking = truth != 0;
  }
  if (!values[1]) return true;
  const double seconds = PyFloat_AsDouble(values[1]);
  if (seconds == -1.0 && PyErr_Occurred()) return false;
  if (!out.blocking && seconds != -1.0) {
    PyErr_SetString(PyExc_ValueError,
                    "can't specify a timeout for a non-blocking call");
    return false;
  }
  if (seconds < 0 && seconds != -1.0) {
    PyErr_SetString(PyExc_ValueError, "timeout value must be a non-negative number");
    return false;
  }
  constexpr double kTimeoutMax = 9223372036.0;  // threading.TIMEOUT_MAX
  if (seconds > kTimeoutMax) {
    PyErr_SetString(PyExc_OverflowError, "timeout value is too large");
    return false;
  }
  long long nanos = -1;
  if (seconds != -1.0 && !py::parse_seconds(values[1], nanos)) return false;
  out.deadline = deadline_after(nanos);
  return true;
}

// --- Lock ---

namespace {

PyObject* lock_acquire(PyObject* self, PyObject* const* args, Py_ssize_t count,
                       PyObject* names) noexcept {
  LockState& state = self_as<LockObject>(self).state;
  const unsigned long ident = current_ident();
  AcquireArgs parsed;
  if ((count > 0 || names) && !parse_acquire(args, count, names, parsed))
    return nullptr;
  if (state.try_acquire(ident)) return py::boolean(true);
  if (!parsed.blocking) return py::boolean(false);
  return waited_to_bool(state.acquire(ident, parsed.deadline, false));
}

PyObject* lock_enter(PyObject* self, PyObject*) noexcept {
  LockState& state = self_as<LockObject>(self).state;
  const unsigned long ident = current_ident();
  if (state.try_acquire(ident)) return py::boolean(true);
  return waited_to_bool(state.acquire(ident, kNever, false));
}

PyObject* lock_release(PyObject* self, PyObject*) noexcept {
  LockState& state = self_as<LockObject>(self).state;
  if (!state.locked()) {
    PyErr_SetString(PyExc_RuntimeError, "release unlocked lock");
    return nullptr;
  }
  state.release();
  return py::none();
}

PyObject* lock_exit(PyObject* self, PyObject* const*, Py_ssize_t) noexcept {
  return lock_release(self, nullptr);
}

PyObject* lock_locked(PyObject* self, PyObject*) noexcept {
  return py::boolean(self_as<LockObject>(self).state.locked());
}

PyObject* lock_reinit(PyObject* self, PyObject*) noexcept {
  self_as<LockObject>(self).state.reinit();
  return py::none();
}

PyObject* lock_repr(PyObject* self) noexcept {
  return PyUnicode_FromFormat(
      "<%s _thread.lock object at %p>",
      self_as<LockObject>(self).state.locked() ? "locked" : "unlocked", self);
}

template <class T>
PyObject* is_other_greenlets(PyObject* self, PyObject*) noexcept {
  return py::boolean(self_as<T>(self).state.is_other_greenlets(current_ident()));
}

template <class T>
PyObject* set_brief(PyObject* self, PyObject*) noexcept {
  self_as<T>(self).state.set_brief();
  return py::new_ref(self);
}

PyMethodDef lock_methods[] = {
    {"acquire", py::as_method(lock_acquire), METH_FASTCALL | METH_KEYWORDS,
     "acquire(blocking=True, timeout=-1) -> bool"},
    {"acquire_lock", py::as_method(lock_acquire), METH_FASTCALL | METH_KEYWORDS,
     "An obsolete synonym of acquire()"},
    {"release", lock_release, METH_NOARGS, "Release the lock."},
    {"release_lock", lock_release, METH_NOARGS, "An obsolete synonym of release()"},
    {"locked", lock_locked, METH_NOARGS, "Whether the lock is held."},
    {"locked_lock", lock_locked, METH_NOARGS, "An obsolete synonym of locked()"},
    {"__enter__", lock_enter, METH_NOARGS, "Acquire the lock."},
    {"__exit__", py::as_method(lock_exit), METH_FASTCALL, "Release the lock."},
    {"_at_fork_reinit", lock_reinit, METH_NOARGS, "Free it in a forked child."},
    {"_is_other_greenlets", is_other_greenlets<LockObject>, METH_NOARGS,
     "Whether another greenlet of this thread holds it or waits for it."},
    {"_brief", set_brief<LockObject>, METH_NOARGS,
     "Its holders never wait: no kill is delivered where it is acquired."},
    {nullptr, nullptr, 0, nullptr}};

PyMemberDef lock_members[] = {{"__weaklistoffset__", T_PYSSIZET,
                               offsetof(LockObject, weakrefs), READONLY, nullptr},
                              {nullptr, 0, 0, 0, nullptr}};

PyObject* lock_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) noexcept {
  if (PyTuple_GET_SIZE(args) > 0 || (kwargs && PyDict_GET_SIZE(kwargs) > 0)) {
    PyErr_SetString(PyExc_TypeError, "lock() takes no arguments");
    return nullptr;
  }
  return make_object<LockObject>(type, args, kwargs);
}

PyType_Slot lock_slots[] = {{Py_tp_new, py::as_slot(lock_new)},
                            {Py_tp_dealloc, py::as_slot(destroy_object<LockObject>)},
                            {Py_tp_repr, py::as_slot(lock_repr)},
                            {Py_tp_methods, lock_methods},
                            {Py_tp_members, lock_members},
                            {0, nullptr}};
PyType_Spec lock_spec{"celadon._core.Lock", sizeof(LockObject), 0, Py_TPFLAGS_DEFAULT,
                      lock_slots};

// --- RLock ---

PyObject* take_rlock(RLockObject& lock, const AcquireArgs& args) noexcept {
  const unsigned long ident = current_ident();
  if (lock.state.is_mine()) {
    if (lock.count + 1 == 0) {
      PyErr_SetString(PyExc_OverflowError, "Internal lock count overflowed");
      return nullptr;
    }
    ++lock.count;
    lock.state.enter_again(ident);
    return py::boolean(true);
  }
  if (!lock.state.try_acquire(ident)) {
    if (!args.blocking) return py::boolean(false);
    const Waited waited = lock.state.acquire(ident, args.deadline, false);
    if (waited != Waited::Granted) return waited_to_bool(waited);
  }
  lock.count = 1;
  return py::boolean(true);
}

PyObject* rlock_acquire(PyObject* self, PyObject* const* args, Py_ssize_t count,
                        PyObject* names) noexcept {
  AcquireArgs parsed;
  if ((count > 0 || names) && !parse_acquire(args, count, names, parsed))
    return nullptr;
  return take_rlock(self_as<RLockObject>(self), parsed);
}

PyObject* rlock_enter(PyObject* self, PyObject*) noexcept {
  return take_rlock(self_as<RLockObject>(self), {});
}

PyObject* rlock_release(PyObject* self, PyObject*) noexcept {
  auto& lock = self_as<RLockObject>(self);
  if (!lock.state.is_my_threads() || lock.count == 0) {
    PyErr_SetString(PyExc_RuntimeError, "cannot release un-acquired lock");
    return nullptr;
  }
  if (--lock.count == 0) lock.state.release();
  return py::none();
}

PyObject* rlock_exit(PyObject* self, PyObject* const*, Py_ssize_t) noexcept {
  return rlock_release(self, nullptr);
}

PyObject* rlock_is_owned(PyObject* self, PyObject*) noexcept {
  return py::boolean(lock_is_owned(self));
}

PyObject* rlock_recursion_count(PyObject* self, PyObject*) noexcept {
  const auto& lock = self_as<RLockObject>(self);
  return PyLong_FromUnsignedLong(lock.state.is_mine() ? lock.count : 0);
}

PyObject* rlock_locked(PyObject* self, PyObject*) noexcept {
  return py::boolean(self_as<RLockObject>(self).state.locked());
}

PyObject* rlock_release_save(PyObject* self, PyObject*) noexcept {
  auto& lock = self_as<RLockObject>(self);
  if (lock.count == 0) {
    PyErr_SetString(PyExc_RuntimeError, "cannot release un-acquired lock");
    return nullptr;
  }
  const unsigned long owner = lock.state.owner();
  const unsigned long count = lock_release_save(self);
  if (count == 0) return nullptr;
  return Py_BuildValue("kk", count, owner);
}

PyObject* rlock_acquire_restore(PyObject* self, PyObject* saved) noexcept {
  unsigned long count = 0;
  unsigned long owner = 0;
  if (!PyArg_ParseTuple(saved, "(kk):_acquire_restore", &count, &owner)) return nullptr;
  lock_acquire_restore(self, count);
  return py::none();
}

PyObject* rlock_reinit(PyObject* self, PyObject*) noexcept {
  self_as<RLockObject>(self).state.reinit();
  self_as<RLockObject>(self).count = 0;
  return py::none();
}

PyObject* rlock_repr(PyObject* self) noexcept {
  const auto& lock = self_as<RLockObject>(self);
  return PyUnicode_FromFormat("<%s _thread.RLock object owner=%lu count=%lu at %p>",
                              lock.state.locked() ? "locked" : "unlocked",
                              lock.state.owner_thread(), lock.count, self);
}

PyMethodDef rlock_methods[] = {
    {"acquire", py::as_method(rlock_acquire), METH_FASTCALL | METH_KEYWORDS,
     "acquire(blocking=True, timeout=-1) -> bool"},
    {"release", rlock_release, METH_NOARGS, "Release the lock."},
    {"__enter__", rlock_enter, METH_NOARGS, "Acquire the lock."},
    {"__exit__", py::as_method(rlock_exit), METH_FASTCALL, "Release the lock."},
    {"locked", rlock_locked, METH_NOARGS, "Whether the lock is held."},
    {"_is_owned", rlock_is_owned, METH_NOARGS, "For threading.Condition."},
    {"_recursion_count", rlock_recursion_count, METH_NOARGS, "For introspection."},
    {"_release_save", rlock_release_save, METH_NOARGS, "For threading.Condition."},
    {"_acquire_restore", rlock_acquire_restore, METH_VARARGS,
     "For threading.Condition."},
    {"_at_fork_reinit", rlock_reinit, METH_NOARGS, "Free it in a forked child."},
    {"_is_other_greenlets", is_other_greenlets<RLockObject>, METH_NOARGS,
     "Whether another greenlet of this thread holds it or waits for it."},
    {"_brief", set_brief<RLockObject>, METH_NOARGS,
     "Its holders never wait: no kill is delivered where it is acquired."},
    {nullptr, nullptr, 0, nullptr}};

PyMemberDef rlock_members[] = {{"__weaklistoffset__", T_PYSSIZET,
                                offsetof(RLockObject, weakrefs), READONLY, nullptr},
                               {nullptr, 0, 0, 0, nullptr}};

PyObject* rlock_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) noexcept {
#if PY_VERSION_HEX >= 0x030D0000
  if (PyTuple_GET_SIZE(args) > 0 || (kwargs && PyDict_GET_SIZE(kwargs) > 0)) {
    if (PyErr_WarnEx(PyExc_DeprecationWarning,
                     "Passing arguments to RLock is deprecated and will be removed in "
                     "3.15",
                     1) < 0) {
      return nullptr;
    }
  }
#endif
  return make_object<RLockObject>(type, args, kwargs);
}

PyType_Slot rlock_slots[] = {{Py_tp_new, py::as_slot(rlock_new)},
                             {Py_tp_dealloc, py::as_slot(destroy_object<RLockObject>)},
                             {Py_tp_repr, py::as_slot(rlock_repr)},
                             {Py_tp_methods, rlock_methods},
                             {Py_tp_members, rlock_members},
                             {0, nullptr}};
PyType_Spec rlock_spec{"celadon._core.RLock", sizeof(RLockObject), 0,
                       Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, rlock_slots};

}  // namespace

bool is_lock(PyObject* object) noexcept {
  return Py_TYPE(object) == lock_type || PyObject_TypeCheck(object, rlock_type);
}

bool lock_is_owned(PyObject* lock) noexcept {
  if (Py_TYPE(lock) == lock_type) return self_as<LockObject>(lock).state.locked();
  const auto& rlock = self_as<RLockObject>(lock);
  return rlock.count > 0 && rlock.state.is_mine();
}

unsigned long lock_release_save(PyObject* lock) noexcept {
  const bool plain = Py_TYPE(lock) == lock_type;
  LockState& state =
      plain ? self_as<LockObject>(lock).state : self_as<RLockObject>(lock).state;
  if (!state.can_come_back(current_ident())) return 0;
  const unsigned long count =
      plain ? 1 : std::exchange(self_as<RLockObject>(lock).count, 0);
  state.release();
  return count;
}

// Always shielded: a wait must come back with its lock, whatever is pending.
void lock_acquire_restore(PyObject* lock, unsigned long count) noexcept {
  const bool plain = Py_TYPE(lock) == lock_type;
  LockState& state =
      plain ? self_as<LockObject>(lock).state : self_as<RLockObject>(lock).state;
  const unsigned long ident = current_ident();
  py::Object error = py::take_error();  // no switch with an exception in flight
  while (state.acquire(ident, kNever, true) != Waited::Granted) PyErr_Clear();
  py::restore_error(std::move(error));
  if (!plain) self_as<RLockObject>(lock).count = count;
}

py::Object make_rlock() noexcept {
  return py::Object(PyObject_CallNoArgs(reinterpret_cast<PyObject*>(rlock_type)));
}

int add_lock_types(PyObject* module) noexcept {
  lock_type = py::add_type(module, lock_spec);
  rlock_type = py::add_type(module, rlock_spec);
  return lock_type && rlock_type ? 0 : -1;
}

}  // namespace celadon::green
