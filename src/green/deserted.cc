// A main script that waits for what nobody can bring: no timer runs, no descriptor is
// waited for, no other thread is there, and no signal has a handler.
#include <dirent.h>

#include "green/hub.h"
#include "loop/thread.h"
#include "py/error.h"

namespace celadon::green {
namespace {

bool has_other_threads() noexcept {
  const PyThreadState* mine = PyThreadState_Get();
  PyThreadState* each = PyInterpreterState_ThreadHead(
      PyThreadState_GetInterpreter(const_cast<PyThreadState*>(mine)));
  for (; each; each = PyThreadState_Next(each)) {
    if (each != mine) return true;
  }
  return false;
}

}  // namespace

bool Hub::is_deserted() noexcept {
  if (main_->state_ != Strand::State::Parked || main_->no_delivery_) return false;
  switch (main_->reason_) {
    case ParkReason::Lock:
    case ParkReason::Event:
    case ParkReason::Queue:
    case ParkReason::Join: break;
    default: return false;
  }
  return !loop_.has_timers() && !loop_.has_posted() && !pool_.busy() &&
         native_calls_run() == 0 && outer_waits_ == 0 && !fd_waits_.anyone() &&
         !has_other_threads();
}

// A C library's may call back; one that just ends is gone at the next look.
bool Hub::has_foreign_threads() noexcept {
  std::size_t count = 0;
  DIR* tasks = ::opendir("/proc/self/task");
  if (!tasks) return false;
  while (const dirent* each = ::readdir(tasks)) {
    if (each->d_name[0] != '.') ++count;
  }
  ::closedir(tasks);
  return count > 1 + loop::Thread::running();
}

// celadon.green.report knows of handlers of signals, and tells what all wait for.
void Hub::interrupt_deserted() noexcept {
  const py::Object report(PyImport_ImportModule("celadon.green.report"));
  py::Object error(report ? PyObject_CallMethod(report.get(), "loop_exit", nullptr)
                          : nullptr);
  if (!error) {
    PyErr_WriteUnraisable(nullptr);
  } else if (error.get() != Py_None) {
    main_->interrupt(std::move(error), this);
  }
}

}  // namespace celadon::green
