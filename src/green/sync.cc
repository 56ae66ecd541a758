// Event, Semaphore and BoundedSemaphore over the one wait queue.
#include "green/sync.h"

#include <string_view>

#include "green/hub.h"
#include "green/lock.h"
#include "green/sync_object.h"

namespace celadon::green {
namespace {

// --- Event ---

struct EventState {
  bool set = false;
  ParkReason reason = ParkReason::Event;  // what a wait for it is a wait for
  WaitQueue waiters;
};

// Event(kind=""): "dns", "thread" or "database" where it stands for such a thing.
int event_init(PyObject* self, PyObject* args, PyObject* kwargs) noexcept {
  static const char* names[] = {"kind", nullptr};
  const char* kind = "";
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|s:Event", const_cast<char**>(names),
                                   &kind)) {
    return -1;
  }
  const std::string_view text(kind);
  auto& state = state_of<EventState>(self);
  if (text == "dns") {
    state.reason = ParkReason::Dns;
  } else if (text == "thread") {
    state.reason = ParkReason::Thread;
  } else if (text == "database") {
    state.reason = ParkReason::Database;
  } else if (!text.empty()) {
    PyErr_Format(PyExc_ValueError, "no such kind of wait: %s", kind);
    return -1;
  }
  return 0;
}

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
  return waited_to_bool(wait_on(state.waiters, deadline_after(nanos), state.reason));
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
  state_of<EventState>(self).waiters->clear();
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
  return waited_to_bool(wait_on(state.waiters, args.deadline, ParkReason::Lock));
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

}  // namespace

int add_sync_types(PyObject* module) noexcept {
  count_forks();
  if (add_sync<EventState>(module, "celadon._core.Event", event_methods, event_init,
                           nullptr, nullptr, 0) < 0 ||
      add_sync<SemaphoreState>(module, "celadon._core.Semaphore", semaphore_methods,
                               semaphore_init, nullptr, nullptr, 0) < 0 ||
      add_sync<SemaphoreState>(module, "celadon._core.BoundedSemaphore",
                               semaphore_methods, bounded_init, nullptr, nullptr,
                               0) < 0) {
    return -1;
  }
  return add_condition_type(module) < 0 || add_queue_type(module) < 0 ? -1 : 0;
}

}  // namespace celadon::green
