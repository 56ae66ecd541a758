#include "aio/blocking.h"

#include <utility>

#include "green/waiter.h"

namespace celadon::aio {
namespace {

PyObject* task_blocked = nullptr;  // lives as long as the process

// While frames are looked at: one that is made for that may set the collector off.
class WithoutCollector {
 public:
  WithoutCollector() noexcept : was_on_(PyGC_Disable() != 0) {}
  ~WithoutCollector() {
    if (was_on_) PyGC_Enable();
  }
  WithoutCollector(const WithoutCollector&) = delete;
  WithoutCollector& operator=(const WithoutCollector&) = delete;

 private:
  bool was_on_;
};

py::Object code_of(PyFrameObject* frame) noexcept {
  return py::Object(reinterpret_cast<PyObject*>(PyFrame_GetCode(frame)));
}

bool is_coroutine(PyObject* code) noexcept {
  constexpr int kKinds = CO_COROUTINE | CO_ITERABLE_COROUTINE | CO_ASYNC_GENERATOR;
  return (reinterpret_cast<PyCodeObject*>(code)->co_flags & kKinds) != 0;
}

bool contains(PyObject* tuple, const PyObject* object) noexcept {
  for (Py_ssize_t i = 0; tuple && i < PyTuple_GET_SIZE(tuple); ++i) {
    if (PyTuple_GET_ITEM(tuple, i) == object) return true;
  }
  return false;
}

std::string describe(PyFrameObject* frame, PyObject* code) noexcept {
  const auto* its = reinterpret_cast<PyCodeObject*>(code);
  const char* file = PyUnicode_AsUTF8(its->co_filename);
  const char* name = PyUnicode_AsUTF8(its->co_name);
  PyErr_Clear();  // a path that is no UTF-8
  return std::string(file ? file : "?") + ":" +
         std::to_string(PyFrame_GetLineNumber(frame)) + " in " + (name ? name : "?");
}

}  // namespace

int add_task_blocked(PyObject* module) noexcept {
  task_blocked = PyErr_NewExceptionWithDoc(
      "celadon.TaskBlocked",
      "This call would have held up its coroutine (`asgi_blocking = error`).",
      PyExc_Exception, nullptr);
  return task_blocked ? PyModule_AddObjectRef(module, "TaskBlocked", task_blocked) : -1;
}

bool Blocking::read(PyObject* name, How& how) noexcept {
  constexpr std::pair<const char*, How> kNames[] = {
      {"park", How::Park}, {"warn", How::Warn}, {"error", How::Error}};
  for (const auto& [text, value] : kNames) {
    if (!PyUnicode_Check(name) || PyUnicode_CompareWithASCIIString(name, text) != 0)
      continue;
    how = value;
    return true;
  }
  return false;
}

void Blocking::judge(How how, PyObject* excused) noexcept {
  how_ = how;
  const py::Object before = std::exchange(excused_, py::Object::copy(excused));
}

bool Blocking::look(Nanos deadline, LogSink* log) noexcept {
  if (deadline != kNever && deadline <= green::monotonic_now()) return true;
  const WithoutCollector still;
  std::string place;
  if (!find_place(place)) return true;
  if (place.empty()) place = "a place that is not known";
  if (how_ == How::Warn) {
    if (log) tell(*log, std::move(place));
    return true;
  }
  PyErr_SetString(
      task_blocked,
      "this call would wait, and nothing awaits it (asgi_blocking = error): "
      "await celadon.aio.green(function) waits beside the other tasks");
  return false;
}

// The line of the innermost coroutine, which made the call; of what made it where there
// is none, as in a protocol. False: it is excused.
bool Blocking::find_place(std::string& place) const noexcept {
  py::Object frame = py::Object::copy(reinterpret_cast<PyObject*>(PyEval_GetFrame()));
  while (frame) {
    auto* at = reinterpret_cast<PyFrameObject*>(frame.get());
    const py::Object code = code_of(at);
    if (contains(excused_.get(), code.get())) return false;
    const bool is_its = is_coroutine(code.get());
    if (is_its || place.empty()) place = describe(at, code.get());
    if (is_its) break;
    frame = py::Object(reinterpret_cast<PyObject*>(PyFrame_GetBack(at)));
  }
  return true;
}

void Blocking::tell(LogSink& log, std::string place) noexcept {
  if (told_.size() >= kMost) return;
  const auto [found, is_new] = told_.insert(std::move(place));
  if (!is_new) return;
  log.log(Level::Warning,
          "a call at " + *found +
              " waits without await: its task alone is held up (asgi_blocking = warn "
              "names a place once)");
}

}  // namespace celadon::aio
