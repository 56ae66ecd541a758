#include "green/asyncio_state.h"

#include "base/log.h"
#include "green/hub.h"
#include "py/error.h"

namespace celadon::green {
namespace {

PyObject* set_running_loop = nullptr;  // asyncio's own; lives as long as the process
PyObject* current_tasks = nullptr;     // likewise

void set_loop_of_thread(PyObject* loop) noexcept {
  const py::Object done(PyObject_CallOneArg(set_running_loop, loop));
  if (!done) PyErr_WriteUnraisable(set_running_loop);
}

// Puts `task`, or none, in the place of the one that `loop` runs, and gives that.
py::Object swap_task(PyObject* loop, PyObject* task) noexcept {
  if (!current_tasks) return {};
  if (!PyDict_Check(current_tasks)) {
    py::Object before(PyObject_CallFunctionObjArgs(current_tasks, loop,
                                                   task ? task : Py_None, nullptr));
    if (!before) PyErr_WriteUnraisable(current_tasks);
    return before.get() == Py_None ? py::Object() : std::move(before);
  }
  py::Object before = py::Object::copy(PyDict_GetItemWithError(current_tasks, loop));
  const int done = task     ? PyDict_SetItem(current_tasks, loop, task)
                   : before ? PyDict_DelItem(current_tasks, loop)
                            : 0;
  if (done < 0 || PyErr_Occurred()) PyErr_WriteUnraisable(current_tasks);
  return before;
}

// Null, without an exception: there is none.
py::Object attribute(PyObject* object, const char* name) noexcept {
  py::Object found(object ? PyObject_GetAttrString(object, name) : nullptr);
  if (!found) PyErr_Clear();
  return found;
}

py::Object call_method(PyObject* object, const char* name) noexcept {
  py::Object given(object ? PyObject_CallMethod(object, name, nullptr) : nullptr);
  if (!given) PyErr_Clear();
  return given;
}

std::string text_of(PyObject* object) {
  Py_ssize_t size = 0;
  const char* text = object && PyUnicode_Check(object)
                         ? PyUnicode_AsUTF8AndSize(object, &size)
                         : nullptr;
  if (text) return escape_for_log({text, static_cast<std::size_t>(size)});
  PyErr_Clear();
  return {};
}

}  // namespace

std::string describe_callback(PyObject* handle) {
  const NoSwitch stays;
  py::Object pending = py::take_error();
  const py::Object callback = attribute(handle, "_callback");
  const py::Object owner = attribute(callback.get(), "__self__");
  const py::Object coroutine = call_method(owner.get(), "get_coro");
  std::string text;
  if (coroutine) {
    const py::Object name = call_method(owner.get(), "get_name");
    text = "task " + text_of(name.get());
    const py::Object what = attribute(coroutine.get(), "__qualname__");
    if (what) text += " (" + text_of(what.get()) + ")";
  } else if (const py::Object what = attribute(callback.get(), "__qualname__")) {
    text = "callback " + text_of(what.get());
  }
  py::restore_error(std::move(pending));
  return text;
}

AsyncioAside::AsyncioAside(Strand& strand) noexcept : strand_(strand) {
  if (strand.asyncio_loop) take_off();
}

AsyncioAside::~AsyncioAside() {
  if (loop_) put_back();
}

void AsyncioAside::take_off() noexcept {
  py::Object pending = py::take_error();
  loop_ = py::Object::copy(strand_.asyncio_loop.get());
  strand_.held_task = swap_task(loop_.get(), nullptr);
  set_loop_of_thread(Py_None);
  hooks_.swap();
  py::restore_error(std::move(pending));
  // One that is to go on as soon as the others had their turn drives on then.
  if (strand_.driver && strand_.state() == Strand::State::Parked)
    std::exchange(strand_.driver, nullptr)->on_park(strand_);
}

void AsyncioAside::put_back() noexcept {
  py::Object pending = py::take_error();
  set_loop_of_thread(loop_.get());
  hooks_.swap();
  const py::Object task = std::move(strand_.held_task);
  if (task) swap_task(loop_.get(), task.get());
  if (std::exchange(strand_.tells_held_task, false)) {
    const py::Object done(PyObject_CallMethod(task.get(), "_go_on", nullptr));
    if (!done) PyErr_WriteUnraisable(task.get());
  }
  py::restore_error(std::move(pending));
}

void forget_asyncio_loop(Strand& strand) noexcept {
  strand.asyncio_loop.reset();
  set_loop_of_thread(Py_None);
}

PyObject* py_keep_set_running_loop(PyObject*, PyObject* original) noexcept {
  // The first is asyncio's own, whoever stands in its place by now.
  if (!set_running_loop) set_running_loop = py::new_ref(original);
  return py::none();
}

PyObject* py_keep_current_tasks(PyObject*, PyObject* tasks) noexcept {
  Py_XSETREF(current_tasks, py::new_ref(tasks));
  return py::none();
}

Strand* holder_of(const PyObject* task) noexcept {
  Hub* hub = Hub::here();
  if (!hub) return nullptr;
  if (hub->main_strand().held_task.get() == task) return &hub->main_strand();
  for (const auto& each : hub->strands()) {
    if (each->held_task.get() == task) return each.get();
  }
  return nullptr;
}

PyObject* py_follow_held_task(PyObject*, PyObject* task) noexcept {
  Strand* holder = holder_of(task);
  // One of asyncio's own, which some factory has made, wants to hear of nothing.
  if (holder) holder->tells_held_task = PyObject_HasAttrString(task, "_go_on") != 0;
  return PyLong_FromUnsignedLong(reinterpret_cast<unsigned long>(holder));
}

PyObject* py_work_is_to_end(PyObject*, PyObject*) noexcept {
  const Strand* strand = current_strand();
  const Work* work = strand ? strand->work() : nullptr;
  return py::boolean(work && work->is_to_end());
}

PyObject* py_set_running_loop(PyObject*, PyObject* loop) noexcept {
  PyObject* done = PyObject_CallOneArg(set_running_loop, loop);
  Strand* strand = current_strand();
  if (done && strand) {
    strand->asyncio_loop = loop == Py_None ? py::Object() : py::Object::copy(loop);
  }
  return done;
}

}  // namespace celadon::green
