// A greenlet that computes is parked at a bytecode boundary and takes its turn with the
// others (design §3). It is no wait point: no kill and no timeout is delivered there.
#pragma once

#include "py/python.h"

namespace celadon::green {

// The Python handler of the signal by which the watchdog interrupts: (signum, frame).
PyObject* py_on_preempt(PyObject* self, PyObject* const* args,
                        Py_ssize_t count) noexcept;

// Likewise, where its time is over whatever the clock says. True: others had their
// turn.
PyObject* py_preempt_here(PyObject*, PyObject*) noexcept;

}  // namespace celadon::green
