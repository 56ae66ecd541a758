#include "green/preemption.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>

#include "green/c_stack.h"
#include "green/hub.h"
#include "green/switch.h"
#include "py/ref.h"

namespace celadon::green {
namespace {

// Below frames of these names C code is at work that a switch would disturb: an import
// is half done, a finalizer runs wherever the last reference went, and CPython keeps
// with the thread which containers are in their repr().
bool is_left_alone(PyCodeObject* code) noexcept {
  static constexpr std::array kNames{"__del__", "__repr__"};
  const auto is = [](PyObject* text, const char* wanted) {
    return PyUnicode_CompareWithASCIIString(text, wanted) == 0;
  };
  return std::ranges::any_of(kNames,
                             [&](auto name) { return is(code->co_name, name); }) ||
         is(code->co_filename, "<frozen importlib._bootstrap>");
}

// A buffered file holds its native lock while it calls the raw file below it, which may
// be Python; to the lock all greenlets of a thread are one.
bool is_raw_file_method(PyFrameObject* frame, PyCodeObject* code) noexcept {
  static constexpr std::array kNames{"readinto", "write", "readall",  "read", "seek",
                                     "tell",     "flush", "truncate", "close"};
  if (code->co_argcount == 0 || std::ranges::none_of(kNames, [&](auto name) {
        return PyUnicode_CompareWithASCIIString(code->co_name, name) == 0;
      }))
    return false;
  const py::Object names(PyCode_GetVarnames(code));
  const py::Object locals(PyFrame_GetLocals(frame));
  const py::Object io(PyImport_ImportModule("_io"));
  if (!names || !locals || !io) return PyErr_Clear(), true;
  const py::Object base(PyObject_GetAttrString(io.get(), "_IOBase"));
  const py::Object self(
      PyObject_GetItem(locals.get(), PyTuple_GET_ITEM(names.get(), 0)));
  const int found = base && self ? PyObject_IsInstance(self.get(), base.get()) : -1;
  if (found < 0) PyErr_Clear();
  return found != 0;
}

bool frames_may_wait(PyObject* innermost) noexcept {
  py::Object frame = py::Object::copy(innermost);
  while (frame && PyFrame_Check(frame.get())) {
    auto* f = reinterpret_cast<PyFrameObject*>(frame.get());
    const py::Object owned(reinterpret_cast<PyObject*>(PyFrame_GetCode(f)));
    auto* code = reinterpret_cast<PyCodeObject*>(owned.get());
    if (is_left_alone(code) || is_raw_file_method(f, code)) return false;
    frame = py::Object(reinterpret_cast<PyObject*>(PyFrame_GetBack(f)));
  }
  return true;
}

// What an asyncio loop does between two of its callbacks, and where one is handed to
// it, is nobody's: there an exception would lose what the loop has in hand.
bool is_loops_own(PyObject* innermost) noexcept {
  if (!PyFrame_Check(innermost)) return false;
  auto* frame = reinterpret_cast<PyFrameObject*>(innermost);
  const py::Object globals(PyFrame_GetGlobals(frame));
  PyObject* name = globals ? PyDict_GetItemString(globals.get(), "__name__") : nullptr;
  const char* text = name && PyUnicode_Check(name) ? PyUnicode_AsUTF8(name) : nullptr;
  if (!text) return PyErr_Clear(), false;
  const std::string_view module(text);
  return module.starts_with("asyncio.") || module.starts_with("celadon.aio.");
}

// Inside of a trace function CPython counts how deep, for the thread.
bool is_tracing() noexcept {
  return PyThreadState_Get()->tracing > 0;
}

enum class Turn : std::uint8_t { Refused, Given, Failed };

Turn give_turn(Strand& strand, PyObject* frame) noexcept {
  Hub& hub = strand.hub();
  // The application's own greenlets lie on stacks that are known to them alone. What it
  // has locked may be wanted by a finalizer, which cannot wait where a collection runs.
  if (current_greenlet().get() != strand.own_greenlet() || is_tracing() ||
      !strand.locks_held().empty() || !frames_may_wait(frame) ||
      !c_stack_holds_no_lock(strand.stack_base())) {
    ++hub.stats().preemptions_refused;
    return Turn::Refused;
  }
  const int saved_errno = errno;  // of C code that called back into Python
  const bool switched = hub.preempt(strand);
  errno = saved_errno;
  return switched ? Turn::Given : Turn::Failed;
}

}  // namespace

PyObject* py_on_preempt(PyObject*, PyObject* const* args, Py_ssize_t count) noexcept {
  if (Hub* here = Hub::here()) here->answer_watchdog();
  Strand* strand = current_strand();
  // The interrupt comes when it comes: by now something else may run here.
  if (count != 2 || !strand || strand->is_main() || !can_park()) return py::none();
  Hub& hub = strand->hub();
  if (hub.slice_blocks() && !strand->shielded() && !is_tracing() &&
      !is_loops_own(args[1]) && frames_may_wait(args[1])) {
    hub.note_raised();
    PyErr_SetString(exceptions().loop_blocked,
                    "this code has held the loop for half of timeout");
    return nullptr;
  }
  if (!hub.slice_over()) return py::none();
  return give_turn(*strand, args[1]) == Turn::Failed ? nullptr : py::none();
}

PyObject* py_preempt_here(PyObject*, PyObject*) noexcept {
  Strand* strand = current_strand();
  if (!strand || strand->is_main() || !can_park()) return py::boolean(false);
  const py::Object frame =
      py::Object::copy(reinterpret_cast<PyObject*>(PyEval_GetFrame()));
  const Turn turn = give_turn(*strand, frame.get());
  return turn == Turn::Failed ? nullptr : py::boolean(turn == Turn::Given);
}

}  // namespace celadon::green
