// A job's handle as Python sees it, and jobs that call Python functions.
#pragma once

#include "green/hub.h"
#include "py/ref.h"

namespace celadon::green {

// `celadon._core.Task`: subclassed in Python, which gives it its public names.
struct TaskObject {
  PyObject_HEAD PyObject* weakrefs;
  PyObject* dict;
  Strand* strand;  // while its job runs
  Job* job;        // while it waits for a runner
  bool started;
};

// The job of `strand` has ended: its handle, if any, lets go of the strand.
void end_task(Strand& strand) noexcept;

[[nodiscard]] int add_task_types(PyObject* module) noexcept;

}  // namespace celadon::green
