#include "green/api.h"

#include <poll.h>
#include <algorithm>

#include <cerrno>
#include <utility>

#include "green/asyncio_state.h"
#include "green/census.h"
#include "green/collector.h"
#include "green/exploration.h"
#include "green/hub.h"
#include "green/identity.h"
#include "green/local.h"
#include "green/lock.h"
#include "green/open_pipe.h"
#include "green/os_functions.h"
#include "green/pipe_io.h"
#include "green/poll_object.h"
#include "green/preemption.h"
#include "green/sealed_class.h"
#include "green/signal_fd.h"
#include "green/stand_in.h"
#include "green/switch.h"
#include "green/sync.h"
#include "green/task.h"
#include "green/thread_bound.h"
#include "green/wait_fd.h"
#include "py/type.h"

namespace celadon::green {
namespace {

PyObject* none_unless(Waited waited) noexcept {
  return waited == Waited::Interrupted ? nullptr : py::none();
}

// As time.sleep, errors included.
PyObject* py_sleep(PyObject*, PyObject* const* args, Py_ssize_t count) noexcept {
  if (count > 1) {
    PyErr_SetString(PyExc_TypeError, "sleep() takes exactly one argument");
    return nullptr;
  }
  Nanos nanos = 0;
  if (count == 1) {
    const double seconds = PyFloat_AsDouble(args[0]);
    if (seconds == -1.0 && PyErr_Occurred()) return nullptr;
    if (!(seconds >= 0)) {
      PyErr_SetString(PyExc_ValueError, seconds < 0
                                            ? "sleep length must be non-negative"
                                            : "Invalid value NaN (not a number)");
      return nullptr;
    }
    constexpr double kMost = 9223372036.0;
    if (seconds > kMost) {
      PyErr_SetString(PyExc_OverflowError,
                      "timestamp too large to convert to C _PyTime_t");
      return nullptr;
    }
    nanos = static_cast<Nanos>(seconds * 1e9);
  }
  if (can_park()) {
    Strand& strand = *current_strand();
    if (nanos == 0) return none_unless(strand.hub().yield_now(strand));
    strand.granted = false;
    Hub& hub = strand.hub();
    return none_unless(
        hub.park(strand, hub.loop().fresh_now() + nanos, ParkReason::Sleep, false));
  }
  WaitQueue nobody;  // of a native wait: its thread does nothing else meanwhile
  return none_unless(wait_on(nobody, deadline_after(nanos), ParkReason::Sleep));
}

PyObject* native_sleep = nullptr;
bool native_takes_all_numbers = false;  // not those alone that are exact or a float

// set_native_sleep(function, takes_all_numbers)
PyObject* py_set_native_sleep(PyObject*, PyObject* const* args,
                              Py_ssize_t count) noexcept {
  if (count != 2) {
    PyErr_SetString(PyExc_TypeError, "set_native_sleep(function, takes_all_numbers)");
    return nullptr;
  }
  py::drop(std::exchange(native_sleep, py::new_ref(args[0])));
  native_takes_all_numbers = args[1] == Py_True;
  return py::none();
}

bool is_seconds(PyObject* value) noexcept {
  if (PyFloat_Check(value) || PyIndex_Check(value)) return true;
  const PyNumberMethods* number = Py_TYPE(value)->tp_as_number;
  return native_takes_all_numbers && number && number->nb_float;
}

// As time.sleep. What that says of what is no number differs by version.
PyObject* py_time_sleep(PyObject*, PyObject* seconds) noexcept {
  if (native_sleep && !is_seconds(seconds)) {
    return PyObject_CallOneArg(native_sleep, seconds);
  }
  return py_sleep(nullptr, &seconds, 1);
}

// mark_database(fd)
PyObject* py_mark_database(PyObject*, PyObject* file) noexcept {
  const int fd = PyObject_AsFileDescriptor(file);
  if (fd < 0) return nullptr;
  if (Hub* hub = Hub::here()) hub->fd_waits().mark_database(fd);
  return py::none();
}

PyObject* py_can_park(PyObject*, PyObject*) noexcept {
  return py::boolean(can_park());
}

PyObject* py_start_hub(PyObject*, PyObject*) noexcept {
  return Hub::create() ? py::none() : nullptr;
}

// unfinished(): of this thread's.
PyObject* py_unfinished(PyObject*, PyObject*) noexcept {
  const Hub* hub = Hub::here();
  return PyLong_FromSize_t(hub ? hub->unfinished() : 0);
}

PyObject* py_set_base_context(PyObject*, PyObject*) noexcept {
  Hub* hub = Hub::create();
  if (!hub) return nullptr;
  py::Object context(PyContext_CopyCurrent());
  if (!context) return nullptr;
  hub->set_base_context(std::move(context));
  return py::none();
}

PyObject* py_read_clock(PyObject*, PyObject*) noexcept {
  if (Hub* hub = Hub::here()) hub->loop().fresh_now();
  return py::none();
}

PyObject* py_current_task(PyObject*, PyObject*) noexcept {
  const Strand* strand = current_strand();
  if (!strand || !strand->task) return py::none();
  return py::new_ref(reinterpret_cast<PyObject*>(strand->task));
}

// 0: the main script; None: no greenlet of ours; else the number of the runner.
PyObject* py_current_slot(PyObject*, PyObject*) noexcept {
  const Strand* strand = current_strand();
  return strand ? PyLong_FromUnsignedLongLong(strand->number()) : py::none();
}

// What the running job must give back, {key: callable}; None outside of runners.
PyObject* py_job_leftovers(PyObject*, PyObject*) noexcept {
  Strand* strand = current_strand();
  if (!strand || strand->is_main()) return py::none();
  PyObject* leftovers = strand->make_leftovers();
  return leftovers ? py::new_ref(leftovers) : nullptr;
}

// Whether the running job was killed or has passed its deadline.
PyObject* py_job_was_stopped(PyObject*, PyObject*) noexcept {
  const Strand* strand = current_strand();
  return py::boolean(strand && strand->retired());
}

// slot_idle(ident): whether that runner of this thread has no job.
PyObject* py_slot_idle(PyObject*, PyObject* ident) noexcept {
  const unsigned long wanted = PyLong_AsUnsignedLong(ident);
  if (wanted == static_cast<unsigned long>(-1) && PyErr_Occurred()) return nullptr;
  const Hub* hub = Hub::here();
  if (!hub) return py::boolean(false);
  return py::boolean(
      std::ranges::any_of(hub->strands(), [wanted](const auto& strand) noexcept {
        return strand->idle() &&
               reinterpret_cast<unsigned long>(strand.get()) == wanted;
      }));
}

PyObject* py_enter_shield(PyObject*, PyObject* seconds) noexcept {
  long long nanos = -1;
  if (!py::parse_seconds(seconds, nanos)) return nullptr;
  if (Strand* strand = current_strand())
    strand->enter_shield(nanos < 0 ? kNever : nanos);
  return py::none();
}

// interrupt_main(exception): False where the main script serves, or there is none.
PyObject* py_interrupt_main(PyObject*, PyObject* exception) noexcept {
  Hub* hub = Hub::here();
  if (!hub) return py::boolean(false);
  Strand& main = hub->main_strand();
  const bool serves =
      main.state() == Strand::State::Parked && main.reason() == ParkReason::Main;
  if (!serves) main.interrupt(py::Object::copy(exception), nullptr);
  return py::boolean(!serves);
}

PyObject* py_end_child(PyObject*, PyObject* error) noexcept {
  if (error != Py_None)
    PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(error)), error);
  Hub::end_child();
}

PyObject* py_leave_shield(PyObject*, PyObject*) noexcept {
  if (Strand* strand = current_strand()) strand->leave_shield();
  return py::none();
}

// What a kill or timeout left pending is raised here: the end of a shield.
PyObject* py_checkpoint(PyObject*, PyObject*) noexcept {
  Strand* strand = current_strand();
  if (strand && can_park() && strand->raise_pending()) return nullptr;
  return py::none();
}

// raise_again(exception): False where it is none that was sent to what runs here.
PyObject* py_raise_again(PyObject*, PyObject* exception) noexcept {
  Strand* strand = current_strand();
  return py::boolean(strand && strand->raise_again(exception));
}

// A descriptor is about to be closed: whoever waits for it is woken.
PyObject* py_fd_closing(PyObject*, PyObject* file) noexcept {
  const int fd = PyObject_AsFileDescriptor(file);
  if (fd < 0) return nullptr;
  Hub::on_fd_closing(fd);
  return py::none();
}

PyObject* py_hub_stats(PyObject*, PyObject*) noexcept {
  const Hub* hub = Hub::here();
  if (!hub) return py::none();
  const HubStats& s = hub->stats();
  return Py_BuildValue("{s:n,s:n,s:K,s:K,s:K,s:K,s:K,s:K,s:K}", "runners",
                       static_cast<Py_ssize_t>(hub->runners()), "idle",
                       static_cast<Py_ssize_t>(hub->idle_runners()), "switches",
                       s.switches, "created", s.runners_created, "retired",
                       s.runners_retired, "jobs", s.jobs, "deadlines_fired",
                       s.deadlines_fired, "preemptions", s.preemptions,
                       "preemptions_refused", s.preemptions_refused);
}

// start_preempting(seconds, signum): the signal's handler must be on_preempt.
PyObject* py_start_preempting(PyObject*, PyObject* args) noexcept {
  WatchLimits limits;
  double seconds = 0;
  if (!PyArg_ParseTuple(args, "di:start_preempting", &seconds, &limits.preempt_signal))
    return nullptr;
  Hub* hub = Hub::create();
  if (!hub) return nullptr;
  limits.preempt = static_cast<Nanos>(seconds * 1e9);
  hub->watch(limits);
  return py::none();
}

PyObject* py_stop_preempting(PyObject*, PyObject*) noexcept {
  if (Hub* hub = Hub::here()) hub->unwatch();
  return py::none();
}

PyObject* py_enter_blocking(PyObject*, PyObject*) noexcept {
  if (Strand* strand = current_strand()) strand->hub().exempt(*strand);
  return py::none();
}

PyObject* py_leave_blocking(PyObject*, PyObject*) noexcept {
  if (Strand* strand = current_strand()) strand->hub().end_exemption(*strand);
  return py::none();
}

PyObject* py_enter_native_call(PyObject*, PyObject*) noexcept {
  enter_native_call();
  return py::none();
}
PyObject* py_leave_native_call(PyObject*, PyObject*) noexcept {
  leave_native_call();
  return py::none();
}

PyObject* py_enter_no_switch(PyObject*, PyObject*) noexcept {
  enter_no_switch();
  return py::none();
}
PyObject* py_leave_no_switch(PyObject*, PyObject*) noexcept {
  leave_no_switch();
  return py::none();
}

PyObject* py_look_at_loaded(PyObject*, PyObject*) noexcept {
  look_at_loaded();
  return py::none();
}

PyMethodDef functions[] = {
    {"sleep", py::as_method(py_sleep), METH_FASTCALL,
     "sleep(seconds=0)\n\nSuspend what runs here; 0 lets everything else that is ready "
     "go first."},
    {"time_sleep", py_time_sleep, METH_O,
     "time_sleep(seconds)\n\nAs sleep, with the arguments of time.sleep."},
    {"set_native_sleep", py::as_method(py_set_native_sleep), METH_FASTCALL,
     "set_native_sleep(function, takes_all_numbers)\n\nWhich time.sleep is the "
     "interpreter's, and whether it takes what only can become a float."},
    {"get_ident", py_get_ident, METH_NOARGS,
     "Identity of the thread that what runs here is to `threading`."},
    {"current_owner", py_current_owner, METH_NOARGS,
     "Identity of the greenlet or thread, by which it has the locks that it takes."},
    {"can_park", py_can_park, METH_NOARGS, "Whether a wait here suspends a greenlet."},
    {"start_hub", py_start_hub, METH_NOARGS, "Make a hub for this thread."},
    {"unfinished", py_unfinished, METH_NOARGS,
     "How many greenlets of this thread have not ended."},
    {"set_base_context", py_set_base_context, METH_NOARGS,
     "Requests start with a copy of the context as it is now."},
    {"current_task", py_current_task, METH_NOARGS,
     "Handle of the running job, or None."},
    {"current_slot", py_current_slot, METH_NOARGS,
     "Number of the running slot, or None."},
    {"slot_thread", py_slot_thread, METH_O, "The thread object of what runs here."},
    {"enter_shield", py_enter_shield, METH_O, "Hold back kills and timeouts."},
    {"end_child", py_end_child, METH_O,
     "The end of a forked process, by this exception or, with None, well."},
    {"thread_of", py_thread_of, METH_O, "The native thread of a greenlet's identity."},
    {"interrupt_owner", py_interrupt_owner, METH_VARARGS,
     "Send an exception to the greenlet of this identity, unless it runs."},
    {"interrupt_thread", py_interrupt_thread, METH_VARARGS,
     "Likewise to who is this thread."},
    {"interrupt_main", py_interrupt_main, METH_O,
     "Send an exception to the main script; False where that serves requests."},
    {"leave_shield", py_leave_shield, METH_NOARGS, "Let them through again."},
    {"checkpoint", py_checkpoint, METH_NOARGS, "Raise what is pending."},
    {"raise_again", py_raise_again, METH_O,
     "Raise this one, which was sent and came to nobody, at the next wait."},
    {"wait_fd", py::as_method(py_wait_fd), METH_VARARGS | METH_KEYWORDS,
     "wait_fd(fd, events, timeout=None) -> ready events"},
    {"poll_fd", py::as_method(py_poll_fd), METH_VARARGS | METH_KEYWORDS,
     "poll_fd(fd, events, timeout=None) -> ready events, 0: the time is over, or -1: "
     "closed"},
    {"mark_database", py_mark_database, METH_O,
     "Waits for this descriptor are waits for a database, until it is closed."},
    {"wait_by_poll", py_wait_by_poll, METH_O,
     "wait_by_poll(conn): until conn.poll() gives 0; 1 and 2 say what it waits for."},
    {"fd_closing", py_fd_closing, METH_O, "End all waits for this descriptor."},
    {"read_pipe", py_read_pipe, METH_VARARGS, "read_pipe(fd, length) -> bytes | None"},
    {"write_pipe", py_write_pipe, METH_VARARGS, "write_pipe(fd, data) -> int | None"},
    {"signal_fd", py_signal_fd, METH_O,
     "signal_fd(signals) -> fd: can be read while one of them, all blocked, waits."},
    {"os_functions", py_os_functions, METH_O,
     "os_functions(os) -> {name: function}: what stands in place of these."},
    {"in_place_of", py::as_method(py_in_place_of), METH_FASTCALL,
     "in_place_of(native, function)\n\nThe function, as one of C that looks like "
     "`native`."},
    {"before_open", py::as_method(py_before_open), METH_FASTCALL,
     "before_open(open, waiting)\n\nWhat opens pipes by the second, the rest by the "
     "first."},
    {"before_os_open", py::as_method(py_before_os_open), METH_FASTCALL,
     "before_os_open(os_open, waiting), likewise."},
    {"set_in_class", py::as_method(py_set_in_class), METH_FASTCALL,
     "set_in_class(class, name, value), also where the class lets nobody set any."},
    {"poll_members", py_poll_members, METH_O,
     "What a select.poll object watches, as {fd: events}; None: not known."},
    {"greenlets", py_greenlets, METH_NOARGS,
     "One object for each greenlet: what it does, and what it waits for."},
    {"running_job", py_running_job, METH_NOARGS,
     "What the hub runs now, or None. Any thread."},
    {"hub_stats", py_hub_stats, METH_NOARGS, "Counters of this thread's hub, or None."},
    {"read_clock", py_read_clock, METH_NOARGS,
     "What ran on the hub's own stack is over: the time is no longer that of its "
     "start."},
    {"on_preempt", py::as_method(py_on_preempt), METH_FASTCALL,
     "Handler of the signal by which the watchdog interrupts."},
    {"start_preempting", py_start_preempting, METH_VARARGS,
     "start_preempting(seconds, signum)\n\nOnly in the main thread."},
    {"stop_preempting", py_stop_preempting, METH_NOARGS, "Let all run on."},
    {"enter_blocking", py_enter_blocking, METH_NOARGS,
     "What follows may hold the loop: neither report nor preempt it."},
    {"leave_blocking", py_leave_blocking, METH_NOARGS, "The end of that."},
    {"job_was_stopped", py_job_was_stopped, METH_NOARGS,
     "Whether the running job was killed or has passed its deadline."},
    {"job_leftovers", py_job_leftovers, METH_NOARGS,
     "What is called when the running job ends, {key: callable}, or None."},
    {"slot_idle", py_slot_idle, METH_O,
     "Whether the runner of that identity has no job."},
    {"enter_native_call", py_enter_native_call, METH_NOARGS,
     "A native thread begins a call that some greenlet waits for."},
    {"leave_native_call", py_leave_native_call, METH_NOARGS, "The end of that."},
    {"enter_no_switch", py_enter_no_switch, METH_NOARGS,
     "From here on nothing is suspended in this thread, not even to wait."},
    {"leave_no_switch", py_leave_no_switch, METH_NOARGS, "The end of that."},
    {"keep_set_running_loop", py_keep_set_running_loop, METH_O,
     "Take over what asyncio sets its running loop with."},
    {"keep_current_tasks", py_keep_current_tasks, METH_O,
     "Take over where asyncio keeps the task that each loop runs."},
    {"follow_held_task", py_follow_held_task, METH_O,
     "The identity of what a call that blocks holds in a step of this task, which is "
     "told of its end; 0: none does."},
    {"work_is_to_end", py_work_is_to_end, METH_NOARGS,
     "Whether what runs here is a request that was told to end."},
    {"set_running_loop", py_set_running_loop, METH_O,
     "Set the asyncio loop that runs in this greenlet."},
    {"look_at_loaded", py_look_at_loaded, METH_NOARGS,
     "An extension module was loaded."},
    {"gc_begins", py::as_method(py_gc_begins), METH_FASTCALL,
     "The first of gc.callbacks."},
    {"gc_ends", py::as_method(py_gc_ends), METH_FASTCALL, "The last of them."},
    {"preempt_here", py_preempt_here, METH_NOARGS,
     "As on_preempt where the time is over: True if others had their turn."},
    {"monotonic_ns", py_monotonic_ns, METH_NOARGS,
     "The time by which waits of this thread end."},
    {"explore_begin", py_explore_begin, METH_NOARGS,
     "From here on who runs next is said by what runs here."},
    {"explore_end", py_explore_end, METH_NOARGS, "The end of that."},
    {"explore_ready", py_explore_ready, METH_NOARGS,
     "Who is ready: tasks, or numbers of runners."},
    {"explore_run", py_explore_run, METH_O, "One slice of that one of them."},
    {"explore_poll", py_explore_poll, METH_O,
     "A look at the kernel, for so many nanoseconds at most."},
    {"explore_next", py_explore_next, METH_NOARGS,
     "In how many nanoseconds timers are to be looked at, or None."},
    {"explore_pass", py_explore_pass, METH_O,
     "Have so many nanoseconds pass; how many timers fired."},
    {"explore_thread", py_explore_thread, METH_O,
     "Waits of this native thread go through a gate(); None: no more."},
    {"explore_threads", py_explore_threads, METH_NOARGS,
     "Waits at gates: (thread, granted, end in nanoseconds or None)."},
    {nullptr, nullptr, 0, nullptr}};

int add_exceptions(PyObject* module) noexcept {
  Exceptions& e = exceptions();
  e.request_timeout = PyErr_NewExceptionWithDoc(
      "celadon.RequestTimeout", "The request's deadline (request_timeout) has passed.",
      PyExc_Exception, nullptr);
  e.request_killed = PyErr_NewExceptionWithDoc(
      "celadon.RequestKilled",
      "The request went on after its RequestTimeout; this one is not an Exception.",
      PyExc_BaseException, nullptr);
  e.loop_blocked = PyErr_NewExceptionWithDoc(
      "celadon.LoopBlocked",
      "This code has held the loop for half of `timeout` (watchdog_raise).",
      PyExc_Exception, nullptr);
  if (!e.request_timeout || !e.request_killed || !e.loop_blocked) return -1;
  if (PyModule_AddObjectRef(module, "LoopBlocked", e.loop_blocked) < 0) return -1;
  if (PyModule_AddObjectRef(module, "RequestTimeout", e.request_timeout) < 0 ||
      PyModule_AddObjectRef(module, "RequestKilled", e.request_killed) < 0) {
    return -1;
  }
  return 0;
}

}  // namespace

int add_to_module(PyObject* module) noexcept {
  if (import_greenlet() < 0) return -1;
  if (add_lock_types(module) < 0 || add_sync_types(module) < 0 ||
      add_task_types(module) < 0 || add_local_type(module) < 0 ||
      add_described_type(module) < 0 || add_exceptions(module) < 0) {
    return -1;
  }
  return PyModule_AddFunctions(module, functions);
}

}  // namespace celadon::green
