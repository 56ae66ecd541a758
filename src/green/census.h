// What every greenlet does and waits for: for reports.
#pragma once

#include "py/ref.h"

namespace celadon::green {

// greenlets() -> one object for each greenlet of this process.
[[nodiscard]] PyObject* py_greenlets(PyObject*, PyObject*) noexcept;
// running_job() -> what the main thread's hub runs now: its description, "" for a job
// that has none; None while the hub waits or works itself. Any thread.
[[nodiscard]] PyObject* py_running_job(PyObject*, PyObject*) noexcept;

[[nodiscard]] int add_described_type(PyObject* module) noexcept;

}  // namespace celadon::green
