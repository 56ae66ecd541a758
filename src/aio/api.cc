#include "aio/api.h"

#include <unistd.h>

#include <map>
#include <new>
#include <utility>

#include "aio/blocking.h"
#include "aio/loop_wait.h"
#include "green/hub.h"
#include "green/waiter.h"
#include "py/type.h"

namespace celadon::aio {
namespace {

struct LoopWaitObject {
  PyObject_HEAD LoopWait wait;
};

LoopWait& wait_of(PyObject* self) noexcept {
  return reinterpret_cast<LoopWaitObject*>(self)->wait;
}

PyTypeObject* loop_wait_type = nullptr;

// LoopWait(fd, hands_over)
PyObject* new_loop_wait(PyTypeObject* type, PyObject* args, PyObject*) noexcept {
  int fd = -1;
  int hands_over = 0;
  if (!PyArg_ParseTuple(args, "ip:LoopWait", &fd, &hands_over)) return nullptr;
  auto* self = reinterpret_cast<LoopWaitObject*>(type->tp_alloc(type, 0));
  if (self) ::new (&self->wait) LoopWait(fd, hands_over != 0);
  return reinterpret_cast<PyObject*>(self);
}

void dealloc(PyObject* self) noexcept {
  wait_of(self).~LoopWait();
  py::free_object(self);
}

// rest(seconds): None where nothing can be suspended.
PyObject* rest(PyObject* self, PyObject* seconds) noexcept {
  long long nanos = -1;
  if (!py::parse_seconds(seconds, nanos)) return nullptr;
  // What was left of the time until a timer is due is no wait of its own.
  switch (wait_of(self).rest(nanos < 0 ? kNever : nanos)) {
    case LoopWait::Rested::Nothing: return py::boolean(false);
    case LoopWait::Rested::Readable: return py::boolean(true);
    case LoopWait::Rested::Impossible: return py::none();
    case LoopWait::Rested::Raised: break;
  }
  return nullptr;
}

PyObject* wake(PyObject* self, PyObject*) noexcept {
  wait_of(self).wake();
  return py::none();
}

PyObject* seize(PyObject* self, PyObject*) noexcept {
  wait_of(self).seize();
  return py::none();
}

PyObject* release(PyObject* self, PyObject*) noexcept {
  wait_of(self).release();
  return py::none();
}

// judge_blocking(how, excused)
PyObject* judge_blocking(PyObject* self, PyObject* const* args,
                         Py_ssize_t count) noexcept {
  Blocking::How how = Blocking::How::Park;
  if (count != 2 || !Blocking::read(args[0], how) || !PyTuple_Check(args[1])) {
    PyErr_SetString(PyExc_TypeError, "judge_blocking(park|warn|error, tuple of code)");
    return nullptr;
  }
  wait_of(self).blocking().judge(how, args[1]);
  return py::none();
}

PyObject* begin_step(PyObject*, PyObject* handle) noexcept {
  LoopWait::begin_step(handle);
  return py::none();
}

PyObject* close(PyObject* self, PyObject*) noexcept {
  wait_of(self).close();
  return py::none();
}

PyObject* driven(PyObject* self, void*) noexcept {
  return py::boolean(wait_of(self).driven());
}

PyMethodDef methods[] = {
    {"rest", rest, METH_O,
     "Suspend who drives until there is something to do; whether descriptors may be "
     "ready."},
    {"wake", wake, METH_NOARGS, "End its rest. Any thread."},
    {"seize", seize, METH_NOARGS, "Drive from now on."},
    {"release", release, METH_NOARGS, "Drive no longer."},
    {"judge_blocking", py::as_method(judge_blocking), METH_FASTCALL,
     "What becomes of calls that wait in callbacks, but of those made by the code that "
     "is "
     "excused."},
    {"begin_step", begin_step, METH_O, "What this handle calls begins."},
    {"close", close, METH_NOARGS, "Let go of the descriptor."},
    {nullptr, nullptr, 0, nullptr}};
PyGetSetDef getset[] = {
    {"driven", driven, nullptr, "Whether somebody drives.", nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr}};
PyType_Slot slots[] = {{Py_tp_new, py::as_slot(new_loop_wait)},
                       {Py_tp_dealloc, py::as_slot(dealloc)},
                       {Py_tp_methods, methods},
                       {Py_tp_getset, getset},
                       {0, nullptr}};
PyType_Spec spec{"celadon._core.LoopWait", sizeof(LoopWaitObject), 0,
                 Py_TPFLAGS_DEFAULT, slots};

struct Kept {
  pid_t process = 0;
  py::Object loop;
};

// Guarded by the GIL. A hub is never freed: no other one has its address. Nor is this,
// since the interpreter has ended when the process does.
std::map<const green::Hub*, Kept>& kept_loops() noexcept {
  static auto* const all = new std::map<const green::Hub*, Kept>();
  return *all;
}

PyObject* kept_loop(PyObject*, PyObject*) noexcept {
  const auto found = kept_loops().find(green::Hub::here());
  if (found == kept_loops().end()) return py::none();
  return py::new_ref(found->second.loop.get());
}

void keep(const green::Hub& hub, PyObject* loop) noexcept {
  Kept now{::getpid(), py::Object::copy(loop)};
  // What dies with the one before may look here.
  const Kept before = std::exchange(kept_loops()[&hub], std::move(now));
}

// keep_loop(loop): not where there is no hub, as in a forked child.
PyObject* keep_loop(PyObject*, PyObject* loop) noexcept {
  if (const green::Hub* hub = green::Hub::here()) keep(*hub, loop);
  return py::none();
}

// replace_loop(before, loop): False where another one than `before` is kept by now. Who
// asks in Python first and keeps then may be preempted in between.
PyObject* replace_loop(PyObject*, PyObject* const* args, Py_ssize_t count) noexcept {
  if (count != 2) {
    PyErr_SetString(PyExc_TypeError, "replace_loop(before, loop)");
    return nullptr;
  }
  const green::Hub* hub = green::Hub::here();
  if (!hub) return py::boolean(true);
  const auto found = kept_loops().find(hub);
  PyObject* now = found == kept_loops().end() ? Py_None : found->second.loop.get();
  if (now != args[0]) return py::boolean(false);
  keep(*hub, args[1]);
  return py::boolean(true);
}

// take_orphans(): those of threads that have ended, which are kept no longer. What a
// forked child has of its parent's is left alone: they share its epoll objects.
PyObject* take_orphans(PyObject*, PyObject*) noexcept {
  py::Object taken(PyList_New(0));
  auto& all = kept_loops();
  for (auto each = all.begin(); taken && each != all.end();) {
    const Kept& kept = each->second;
    if (is_alive(*each->first) || kept.process != ::getpid()) {
      ++each;
    } else if (kept.loop.get() == Py_None ||
               PyList_Append(taken.get(), kept.loop.get()) == 0) {
      each = all.erase(each);
    } else {
      taken.reset();
    }
  }
  return taken.release();
}

PyMethodDef functions[] = {
    {"kept_loop", kept_loop, METH_NOARGS, "The loop that was kept for this thread."},
    {"keep_loop", keep_loop, METH_O, "Keep a loop, or None, for this thread."},
    {"replace_loop", py::as_method(replace_loop), METH_FASTCALL,
     "Keep a loop for this thread where the one before is kept still; whether it is."},
    {"take_orphans", take_orphans, METH_NOARGS,
     "The loops that were kept for threads that have ended."},
    {nullptr, nullptr, 0, nullptr}};

}  // namespace

LoopWait* loop_wait_in(PyObject* object) noexcept {
  return Py_TYPE(object) == loop_wait_type ? &wait_of(object) : nullptr;
}

int add_to_module(PyObject* module) noexcept {
  loop_wait_type = py::add_type(module, spec);
  if (!loop_wait_type || add_task_blocked(module) < 0) return -1;
  return PyModule_AddFunctions(module, functions);
}

}  // namespace celadon::aio
