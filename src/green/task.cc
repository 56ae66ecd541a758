#include "green/task.h"

#include <new>
#include <vector>

#include "green/asyncio_state.h"
#include "green/switch.h"
#include "py/type.h"

namespace celadon::green {
namespace {

// Calls the task's `_run` method in a copy of the context that started it.
class SpawnJob final : public Job {
 public:
  SpawnJob(TaskObject* task, PyObject* context) noexcept
      : task_(py::Owned<TaskObject>::copy(task)), context_(context) {
    task_->job = this;
  }
  ~SpawnJob() override {
    if (task_) task_->job = nullptr;
  }
  [[nodiscard]] PyObject* context() noexcept override { return context_.get(); }
  [[nodiscard]] PyObject* handle() const noexcept override {
    return reinterpret_cast<PyObject*>(task_.get());
  }

  void run(Strand& strand) noexcept override {
    // On the heap until here; from now on owned by this frame.
    const std::unique_ptr<SpawnJob> self(this);
    TaskObject* task = task_.get();
    task->job = nullptr;
    task->strand = &strand;
    strand.task = task;
    const py::Object result(
        PyObject_CallMethod(reinterpret_cast<PyObject*>(task), "_run", nullptr));
    if (!result) PyErr_WriteUnraisable(reinterpret_cast<PyObject*>(task));
    end_task(strand);
  }

 private:
  py::Owned<TaskObject> task_;
  py::Object context_;
};

TaskObject& self_of(PyObject* self) noexcept {
  return *reinterpret_cast<TaskObject*>(self);
}

PyObject* task_start(PyObject* self, PyObject*) noexcept {
  TaskObject& task = self_of(self);
  if (task.started) {
    PyErr_SetString(PyExc_RuntimeError, "a greenlet is started only once");
    return nullptr;
  }
  Hub* hub = Hub::create();
  PyObject* context = hub ? PyContext_CopyCurrent() : nullptr;
  if (!context) return nullptr;
  task.started = true;
  hub->submit(*new SpawnJob(&task, context));
  if (!hub->current()) hub->loop().wake();
  return py::none();
}

// _interrupt(exception): True if the job runs and will get it, None if it was dropped
// before it began, False if there is nothing to interrupt. What it has not had yet is
// not sent again.
PyObject* task_interrupt(PyObject* self, PyObject* exception) noexcept {
  TaskObject& task = self_of(self);
  if (task.job) {
    delete static_cast<SpawnJob*>(task.job);
    return py::none();
  }
  if (!task.strand) return py::boolean(false);
  task.strand->retire();
  if (task.strand->is_pending(exception)) return py::boolean(true);
  task.strand->interrupt(py::Object::copy(exception), nullptr);
  return py::boolean(true);
}

PyObject* task_adopt(PyObject* self, PyObject*) noexcept {
  Strand* strand = current_strand();
  if (!strand || strand->task) {
    PyErr_SetString(PyExc_RuntimeError, "no greenlet without a handle runs here");
    return nullptr;
  }
  self_of(self).started = true;
  self_of(self).strand = strand;
  strand->task = &self_of(self);
  return py::none();
}

PyObject* task_slot(PyObject* self, void*) noexcept {
  const Strand* strand = self_of(self).strand;
  return strand ? PyLong_FromUnsignedLongLong(strand->number()) : py::none();
}

PyObject* task_running(PyObject* self, void*) noexcept {
  return py::boolean(self_of(self).strand != nullptr);
}

int task_traverse(PyObject* self, visitproc visit, void* arg) noexcept {
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(self_of(self).dict);
  return 0;
}
int task_clear(PyObject* self) noexcept {
  Py_CLEAR(self_of(self).dict);
  return 0;
}
void task_dealloc(PyObject* self) noexcept {
  PyObject_GC_UnTrack(self);
  TaskObject& task = self_of(self);
  if (task.weakrefs) PyObject_ClearWeakRefs(self);
  if (task.strand) task.strand->task = nullptr;
  Py_CLEAR(task.dict);
  py::free_object(self);
}

PyMethodDef task_methods[] = {
    {"_start", task_start, METH_NOARGS, "Queue the job."},
    {"_interrupt", task_interrupt, METH_O, "Send an exception to the job."},
    {"_adopt", task_adopt, METH_NOARGS, "Become the handle of the running job."},
    {nullptr, nullptr, 0, nullptr}};
PyGetSetDef task_getset[] = {
    {"slot", task_slot, nullptr, "Number of the runner, or None.", nullptr},
    {"_running", task_running, nullptr, "Whether its job runs.", nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr}};
PyMemberDef task_members[] = {
    {"__weaklistoffset__", T_PYSSIZET, offsetof(TaskObject, weakrefs), READONLY,
     nullptr},
    {"__dictoffset__", T_PYSSIZET, offsetof(TaskObject, dict), READONLY, nullptr},
    {nullptr, 0, 0, 0, nullptr}};
PyType_Slot task_slots[] = {{Py_tp_dealloc, py::as_slot(task_dealloc)},
                            {Py_tp_traverse, py::as_slot(task_traverse)},
                            {Py_tp_clear, py::as_slot(task_clear)},
                            {Py_tp_methods, task_methods},
                            {Py_tp_getset, task_getset},
                            {Py_tp_members, task_members},
                            {0, nullptr}};
PyType_Spec task_spec{"celadon._core.Task", sizeof(TaskObject), 0,
                      Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
                      task_slots};

// --- Alarm: an exception for the running job after a time ---

// It belongs to the job that runs where it is made, and ends with that: nothing else
// would ever drop the exception, which may hold the alarm. One of a task's belongs to
// the step that it was sent to: the next one there is another's.
struct AlarmState final : loop::Timer, JobAlarm {
  Strand* strand = nullptr;  // until its job, or its step, ends
  py::Object exception;
  bool fired = false;
  bool missed = false;  // by what has ended meanwhile

  void fire() noexcept {
    cancel();
    if (!fired) on_timer();
  }
  void on_job_end(std::vector<py::Object>& dropped) noexcept override {
    cancel();
    missed = strand->take_back(this);
    strand = nullptr;
    dropped.push_back(std::move(exception));
  }

 private:
  void on_timer() noexcept override {
    fired = true;
    // Handed over: a timeout that fired must not keep the frames it went through.
    if (strand) strand->interrupt(std::move(exception), this);
  }
};

struct AlarmObject {
  PyObject_HEAD AlarmState* state;
};

AlarmState& alarm_of(PyObject* self) noexcept {
  return *reinterpret_cast<AlarmObject*>(self)->state;
}

// Alarm(seconds, exception), for what runs here.
PyObject* alarm_new(PyTypeObject* type, PyObject* args, PyObject*) noexcept {
  double seconds = 0;
  PyObject* exception = nullptr;
  if (!PyArg_ParseTuple(args, "dO:Alarm", &seconds, &exception)) return nullptr;
  Strand* strand = current_strand();
  if (!strand) {
    PyErr_SetString(PyExc_RuntimeError, "a timeout needs a greenlet to interrupt");
    return nullptr;
  }
  auto* self = reinterpret_cast<AlarmObject*>(type->tp_alloc(type, 0));
  if (!self) return nullptr;
  self->state = new AlarmState();
  self->state->strand = strand;
  strand->alarms.push_back(*self->state);
  self->state->exception = py::Object::copy(exception);
  constexpr double kMost = 9e9;
  if (seconds < kMost) {
    const auto nanos = static_cast<Nanos>(seconds > 0 ? seconds * 1e9 : 0);
    loop::Loop& loop = strand->hub().loop();
    loop.arm(*self->state, loop.fresh_now() + nanos);
  }
  return reinterpret_cast<PyObject*>(self);
}

// Alarm.at_call(task, exception): one that fires at once, where `task` waits in the
// middle of a step. None: it does not.
PyObject* alarm_at_call(PyObject* type, PyObject* const* args,
                        Py_ssize_t count) noexcept {
  if (count != 2) {
    PyErr_SetString(PyExc_TypeError, "at_call() takes a task and an exception");
    return nullptr;
  }
  Strand* holder = holder_of(args[0]);
  if (!holder) return py::none();
  auto* its = reinterpret_cast<PyTypeObject*>(type);
  auto* self = reinterpret_cast<AlarmObject*>(its->tp_alloc(its, 0));
  if (!self) return nullptr;
  self->state = new AlarmState();
  self->state->strand = holder;
  self->state->exception = py::Object::copy(args[1]);
  holder->step_alarms.push_back(*self->state);
  self->state->fire();
  return reinterpret_cast<PyObject*>(self);
}

// Whether it was sent, and came to nobody.
PyObject* alarm_cancel(PyObject* self, PyObject*) noexcept {
  AlarmState& state = alarm_of(self);
  state.cancel();
  if (state.strand && state.strand->take_back(&state)) state.missed = true;
  state.exception.reset();
  return py::boolean(state.missed);
}
PyObject* alarm_fire(PyObject* self, PyObject*) noexcept {
  alarm_of(self).fire();
  return py::none();
}
PyObject* alarm_pending(PyObject* self, void*) noexcept {
  return py::boolean(alarm_of(self).armed());
}
PyObject* alarm_fired(PyObject* self, void*) noexcept {
  return py::boolean(alarm_of(self).fired);
}
void alarm_dealloc(PyObject* self) noexcept {
  AlarmState* state = reinterpret_cast<AlarmObject*>(self)->state;
  if (state) {
    state->cancel();
    if (state->strand) state->strand->take_back(state);
    delete state;
  }
  py::free_object(self);
}

PyMethodDef alarm_methods[] = {
    {"at_call", py::as_method(alarm_at_call), METH_FASTCALL | METH_CLASS,
     "One that has fired where a task waits in a call; None: it does not."},
    {"cancel", alarm_cancel, METH_NOARGS,
     "Never fire, and take back what is pending: whether it was sent to nobody's use."},
    {"_fire", alarm_fire, METH_NOARGS, "Fire now instead of later."},
    {nullptr, nullptr, 0, nullptr}};
PyGetSetDef alarm_getset[] = {
    {"pending", alarm_pending, nullptr, "Whether it will fire.", nullptr},
    {"fired", alarm_fired, nullptr, "Whether it has fired.", nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr}};
PyType_Slot alarm_slots[] = {{Py_tp_new, py::as_slot(alarm_new)},
                             {Py_tp_dealloc, py::as_slot(alarm_dealloc)},
                             {Py_tp_methods, alarm_methods},
                             {Py_tp_getset, alarm_getset},
                             {0, nullptr}};
PyType_Spec alarm_spec{"celadon._core.Alarm", sizeof(AlarmObject), 0,
                       Py_TPFLAGS_DEFAULT, alarm_slots};

}  // namespace

void end_task(Strand& strand) noexcept {
  if (!strand.task) return;
  strand.task->strand = nullptr;
  strand.task = nullptr;
}

int add_task_types(PyObject* module) noexcept {
  const bool added =
      py::add_type(module, task_spec) && py::add_type(module, alarm_spec);
  return added ? 0 : -1;
}

}  // namespace celadon::green
