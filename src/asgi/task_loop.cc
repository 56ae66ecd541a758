#include "asgi/task_loop.h"

#include <string_view>
#include <utility>
#include <vector>

#include "aio/api.h"
#include "asgi/bridge.h"
#include "py/error.h"
#include "py/type.h"

namespace celadon::asgi {
namespace {

PyTypeObject* turn_type = nullptr;

struct TurnObject {
  PyObject_HEAD Bridge* bridge;  // null once it has gone
  PyObject* step;                // owned: the first of a task that is being made
  PyObject* context;             // owned: that it runs in
};

PyObject* turn_run(PyObject* self, PyObject*) noexcept {
  if (Bridge* bridge = reinterpret_cast<TurnObject*>(self)->bridge) bridge->attend();
  return py::none();
}

PyObject* turn_cancelled(PyObject*, PyObject*) noexcept {
  return py::boolean(false);
}

// Where a loop in debug mode names what took long.
PyObject* turn_repr(PyObject*) noexcept {
  return PyUnicode_FromString("<celadon: a request begins, or hears of news>");
}

PyObject* nothing(PyObject*, void*) noexcept {
  return py::none();
}

// What the loop's own call_soon(callback, *args, context=None) gives.
PyObject* call_soon(PyObject* loop, PyObject* const* args, Py_ssize_t count,
                    PyObject* names) noexcept {
  const py::Object original(
      PyObject_GetAttrString(reinterpret_cast<PyObject*>(Py_TYPE(loop)), "call_soon"));
  if (!original) return nullptr;
  std::vector<PyObject*> all{loop};
  all.insert(all.end(), args, args + count + (names ? PyTuple_GET_SIZE(names) : 0));
  return PyObject_Vectorcall(original.get(), all.data(),
                             static_cast<std::size_t>(count) + 1, names);
}

// Stands in for that while a task is made: the first step that is asked for is kept.
// Whatever else is meanwhile (a finalizer may make a task, too) the loop is told.
PyObject* catch_step(PyObject* self, PyObject* const* args, Py_ssize_t count,
                     PyObject* names) noexcept {
  auto& turn = *reinterpret_cast<TurnObject*>(self);
  const bool has_context = names && PyTuple_GET_SIZE(names) == 1;
  const bool is_step =
      !turn.step && count == 1 && has_context &&
      std::string_view(Py_TYPE(args[0])->tp_name).ends_with("TaskStepMethWrapper");
  if (is_step) {
    turn.step = py::new_ref(args[0]);
    turn.context = py::new_ref(args[1]);
    return py::none();
  }
  return call_soon(turn.bridge->loop().object(), args, count, names);
}
PyMethodDef catch_def{"call_soon", py::as_method(catch_step),
                      METH_FASTCALL | METH_KEYWORDS, nullptr};

PyMethodDef turn_methods[] = {
    {"_run", turn_run, METH_NOARGS, "Attends to one request."},
    {"cancelled", turn_cancelled, METH_NOARGS, "Never."},
    {nullptr, nullptr, 0, nullptr}};
// What a loop looks at in debug mode.
PyGetSetDef turn_fields[] = {{"_callback", nothing, nullptr, nullptr, nullptr},
                             {"_source_traceback", nothing, nullptr, nullptr, nullptr},
                             {nullptr, nullptr, nullptr, nullptr, nullptr}};
PyType_Slot turn_slots[] = {{Py_tp_methods, turn_methods},
                            {Py_tp_repr, py::as_slot(turn_repr)},
                            {Py_tp_getset, turn_fields},
                            {Py_tp_dealloc, py::as_slot(py::free_object)},
                            {0, nullptr}};
PyType_Spec turn_spec{"celadon._core.Turn", sizeof(TurnObject), 0,
                      Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
                      turn_slots};

py::Object attribute(PyObject* object, const char* name) noexcept {
  return py::Object(object ? PyObject_GetAttrString(object, name) : nullptr);
}

}  // namespace

TaskLoop::~TaskLoop() {
  if (turn_) reinterpret_cast<TurnObject*>(turn_.get())->bridge = nullptr;
}

bool TaskLoop::prepare(PyObject* loop, Bridge& bridge) noexcept {
  const py::Object rest = attribute(loop, "_rest");
  wait_ = rest ? aio::loop_wait_in(rest.get()) : nullptr;
  if (!wait_) {
    if (!PyErr_Occurred())
      PyErr_SetString(PyExc_TypeError, "the loop must be a celadon.aio.EventLoop");
    return false;
  }
  loop_ = py::Object::copy(loop);
  const py::Object ready = attribute(loop, "_ready");
  append_ = attribute(ready.get(), "append");
  attributes_.reset(PyObject_GenericGetDict(loop, nullptr));
  create_future_ = attribute(loop, "create_future");
  const py::Object asyncio(PyImport_ImportModule("asyncio"));
  task_type_ = attribute(loop, "task_type");
  cancelled_error_ = attribute(asyncio.get(), "CancelledError");
  invalid_state_error_ = attribute(asyncio.get(), "InvalidStateError");
  loop_keyword_.reset(Py_BuildValue("(s)", "loop"));
  context_keyword_.reset(Py_BuildValue("(s)", "context"));
  self_name_.reset(PyUnicode_InternFromString("__self__"));
  call_soon_name_.reset(PyUnicode_InternFromString("call_soon"));
  create_task_name_.reset(PyUnicode_InternFromString("create_task"));
  task_factory_name_.reset(PyUnicode_InternFromString("_task_factory"));
  set_result_name_.reset(PyUnicode_InternFromString("set_result"));
  cancel_name_.reset(PyUnicode_InternFromString("cancel"));
  turn_.reset(turn_type->tp_alloc(turn_type, 0));
  if (turn_) reinterpret_cast<TurnObject*>(turn_.get())->bridge = &bridge;
  if (turn_) catcher_.reset(PyCFunction_New(&catch_def, turn_.get()));
  return append_ && attributes_ && catcher_ && create_future_ && task_type_ &&
         cancelled_error_ && invalid_state_error_ && loop_keyword_ &&
         context_keyword_ && self_name_ && call_soon_name_ && create_task_name_ &&
         task_factory_name_ && set_result_name_ && cancel_name_ && turn_;
}

void TaskLoop::run_soon() noexcept {
  const py::Object done(PyObject_CallOneArg(append_.get(), turn_.get()));
  if (!done) PyErr_WriteUnraisable(append_.get());
  wait_->wake();
}

bool TaskLoop::has_factory() const noexcept {
  PyObject* factory =
      PyDict_GetItemWithError(attributes_.get(), task_factory_name_.get());
  return factory && factory != Py_None;
}

// What it makes may be another kind of task, which has its first step as it likes, or
// one of another coroutine around `call`, which may end without that.
py::Object TaskLoop::start_by_factory(PyObject* call) noexcept {
  py::Object task(
      PyObject_CallMethodOneArg(loop_.get(), create_task_name_.get(), call));
  const py::Object lost = task ? attribute(call, "_lose_task") : py::Object();
  const py::Object done(
      lost ? PyObject_CallMethod(task.get(), "add_done_callback", "O", lost.get())
           : nullptr);
  return done ? std::move(task) : py::Object();
}

// A task asks its loop for its first step. That is done here, at once: with the loop it
// would come behind all that this has to run, and cost as much as all of the rest.
py::Object TaskLoop::start_task(PyObject* call) noexcept {
  if (has_factory()) return start_by_factory(call);
  if (PyDict_SetItem(attributes_.get(), call_soon_name_.get(), catcher_.get()) < 0)
    return {};
  PyObject* arguments[] = {call, loop_.get()};
  py::Object task(
      PyObject_Vectorcall(task_type_.get(), arguments, 1, loop_keyword_.get()));
  py::Object error = py::take_error();
  if (PyDict_DelItem(attributes_.get(), call_soon_name_.get()) < 0) PyErr_Clear();
  py::restore_error(std::move(error));
  auto& turn = *reinterpret_cast<TurnObject*>(turn_.get());
  const py::Object step(std::exchange(turn.step, nullptr));
  const py::Object context(std::exchange(turn.context, nullptr));
  if (!task || !step) return task;
  const py::Object whose(PyObject_GetAttr(step.get(), self_name_.get()));
  if (whose.get() != task.get()) {  // that of another one: the loop was told of ours
    PyErr_Clear();
    PyObject* its[] = {step.get(), context.get()};
    const py::Object told(call_soon(loop_.get(), its, 1, context_keyword_.get()));
    if (!told) PyErr_WriteUnraisable(step.get());
    return task;
  }
  if (PyContext_Enter(context.get()) < 0) return {};
  const py::Object done(PyObject_CallNoArgs(step.get()));
  if (!done) PyErr_WriteUnraisable(task.get());
  if (PyContext_Exit(context.get()) < 0) PyErr_WriteUnraisable(task.get());
  return task;
}

py::Object TaskLoop::make_future() noexcept {
  return py::Object(PyObject_CallNoArgs(create_future_.get()));
}

void TaskLoop::resolve(PyObject* future) noexcept {
  const py::Object done(
      PyObject_CallMethodOneArg(future, set_result_name_.get(), Py_None));
  if (done) return;
  py::Object error = py::take_error();
  const bool was_cancelled =
      PyErr_GivenExceptionMatches(error.get(), invalid_state_error_.get()) != 0;
  if (was_cancelled || is_closed()) return;
  py::restore_error(std::move(error));
  PyErr_WriteUnraisable(future);
}

// Nothing that it has to run runs any more.
bool TaskLoop::is_closed() const noexcept {
  const py::Object closed(PyObject_CallMethod(loop_.get(), "is_closed", nullptr));
  if (!closed) PyErr_Clear();
  return closed.get() == Py_True;
}

void TaskLoop::cancel(PyObject* task) noexcept {
  const py::Object done(PyObject_CallMethodNoArgs(task, cancel_name_.get()));
  if (!done) PyErr_WriteUnraisable(task);
}

int add_turn_type(PyObject* module) noexcept {
  turn_type = py::add_type(module, turn_spec);
  return turn_type ? 0 : -1;
}

}  // namespace celadon::asgi
