// Somebody else's choice of who runs next (celadon.testing).
//
//   conductor ─► hub: one slice of whom it chose, a look at the kernel, or time passes
//   ─► conductor
//
// While it lasts the hub takes this round instead of its own, and the hub's time stands
// still until the conductor has it pass: a wait's end is then an event like others.
#pragma once

#include "base/clock.h"
#include "green/strand.h"

namespace celadon::green {

struct Exploration {
  enum class Order : std::uint8_t { Nothing, Run, Poll, Pass };

  explicit Exploration(Strand& by) noexcept : conductor(by) {}

  Strand& conductor;
  ManualClock clock;
  bool entered = false;
  Order order = Order::Nothing;
  Py_ssize_t chosen = 0;  // Run: which of those that are ready
  Nanos nanos = 0;        // Poll: how long at most, really; Pass: how far
  int fired = 0;          // Pass: timers
};

// Functions of celadon._core.green.
PyObject* py_explore_begin(PyObject*, PyObject*) noexcept;
PyObject* py_explore_end(PyObject*, PyObject*) noexcept;
PyObject* py_explore_ready(PyObject*, PyObject*) noexcept;
PyObject* py_explore_run(PyObject*, PyObject* index) noexcept;
PyObject* py_explore_poll(PyObject*, PyObject* seconds) noexcept;
PyObject* py_explore_next(PyObject*, PyObject*) noexcept;
PyObject* py_explore_pass(PyObject*, PyObject* nanos) noexcept;
PyObject* py_explore_thread(PyObject*, PyObject* gate) noexcept;
PyObject* py_explore_threads(PyObject*, PyObject*) noexcept;
PyObject* py_monotonic_ns(PyObject*, PyObject*) noexcept;

}  // namespace celadon::green
