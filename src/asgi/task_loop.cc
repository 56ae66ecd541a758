#include "asgi/task_loop.h"

#include "aio/api.h"
#include "asgi/bridge.h"
#include "py/type.h"

namespace celadon::asgi {
namespace {

PyTypeObject* turn_type = nullptr;

struct TurnObject {
  PyObject_HEAD Bridge* bridge;  // null once it has gone
};

PyObject* turn_run(PyObject* self, PyObject*) noexcept {
  if (Bridge* bridge = reinterpret_cast<TurnObject*>(self)->bridge) bridge->attend();
  return py::none();
}

PyObject* turn_cancelled(PyObject*, PyObject*) noexcept {
  return py::boolean(false);
}

PyObject* nothing(PyObject*, void*) noexcept {
  return py::none();
}

PyMethodDef turn_methods[] = {
    {"_run", turn_run, METH_NOARGS, "Attends to one request."},
    {"cancelled", turn_cancelled, METH_NOARGS, "Never."},
    {nullptr, nullptr, 0, nullptr}};
// What a loop looks at in debug mode.
PyGetSetDef turn_fields[] = {{"_callback", nothing, nullptr, nullptr, nullptr},
                             {"_source_traceback", nothing, nullptr, nullptr, nullptr},
                             {nullptr, nullptr, nullptr, nullptr, nullptr}};
PyType_Slot turn_slots[] = {{Py_tp_methods, turn_methods},
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
  pop_ = attribute(ready.get(), "pop");
  create_future_ = attribute(loop, "create_future");
  const py::Object asyncio(PyImport_ImportModule("asyncio"));
  task_type_ = attribute(asyncio.get(), "Task");
  cancelled_error_ = attribute(asyncio.get(), "CancelledError");
  loop_keyword_.reset(Py_BuildValue("(s)", "loop"));
  run_name_.reset(PyUnicode_InternFromString("_run"));
  set_result_name_.reset(PyUnicode_InternFromString("set_result"));
  cancel_name_.reset(PyUnicode_InternFromString("cancel"));
  turn_.reset(turn_type->tp_alloc(turn_type, 0));
  if (turn_) reinterpret_cast<TurnObject*>(turn_.get())->bridge = &bridge;
  return append_ && pop_ && create_future_ && task_type_ && cancelled_error_ &&
         loop_keyword_ && run_name_ && set_result_name_ && cancel_name_ && turn_;
}

void TaskLoop::run_soon() noexcept {
  const py::Object done(PyObject_CallOneArg(append_.get(), turn_.get()));
  if (!done) PyErr_WriteUnraisable(append_.get());
  wait_->nudge();
}

// A task has its first step put behind all that the loop has to run. It is taken from
// there again: nobody was in between.
py::Object TaskLoop::start_task(PyObject* call) noexcept {
  PyObject* arguments[] = {call, loop_.get()};
  py::Object task(
      PyObject_Vectorcall(task_type_.get(), arguments, 1, loop_keyword_.get()));
  if (!task) return {};
  const py::Object first(PyObject_CallNoArgs(pop_.get()));
  const py::Object done(first ? PyObject_CallMethodNoArgs(first.get(), run_name_.get())
                              : nullptr);
  if (!done) return {};
  return task;
}

py::Object TaskLoop::make_future() noexcept {
  return py::Object(PyObject_CallNoArgs(create_future_.get()));
}

void TaskLoop::resolve(PyObject* future) noexcept {
  const py::Object done(
      PyObject_CallMethodOneArg(future, set_result_name_.get(), Py_None));
  if (!done) PyErr_Clear();  // who waited was cancelled
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
