// CPython keeps the running asyncio loop and the hooks of asynchronous generators with
// the thread. Here they belong to the greenlet that set them (green.md 3.3): another
// one may run a loop of its own, or none.
#pragma once

#include <string>

#include "base/clock.h"
#include "py/asyncgen_hooks.h"
#include "py/ref.h"

namespace celadon::green {

class Strand;

// An asyncio loop of ours, as far as it concerns the greenlet that runs its callbacks.
class LoopDriver {
 public:
  virtual ~LoopDriver() = default;
  // That greenlet waits in the middle of a callback, and drives it no longer.
  virtual void on_park(Strand& strand) noexcept = 0;
  // Before that, and before each further wait of that callback, where a wait until
  // `deadline` may be refused: false with an exception. Runs no code of Python's, since
  // who waits is in line already.
  [[nodiscard]] virtual bool on_wait(Strand& strand, Nanos deadline) noexcept = 0;
};

// Takes what the greenlet has off the thread while it is parked. Costs one test where
// no loop runs.
class AsyncioAside {
 public:
  explicit AsyncioAside(Strand& strand) noexcept;
  ~AsyncioAside();
  AsyncioAside(const AsyncioAside&) = delete;
  AsyncioAside& operator=(const AsyncioAside&) = delete;

 private:
  void take_off() noexcept;
  void put_back() noexcept;
  Strand& strand_;
  py::Object loop_;
  py::AsyncGenHooks hooks_;
};

// A job that left its loop running does not hand it to the next one.
void forget_asyncio_loop(Strand& strand) noexcept;

// What a handle of asyncio's calls: a task, by its name and its coroutine's, or a
// function. Empty where it is neither.
[[nodiscard]] std::string describe_callback(PyObject* handle);

// For asyncio.events: keep(original) takes its function over, unless that was done
// before; set() stands in for it.
[[nodiscard]] PyObject* py_keep_set_running_loop(PyObject*,
                                                 PyObject* original) noexcept;
[[nodiscard]] PyObject* py_set_running_loop(PyObject*, PyObject* loop) noexcept;
// What knows the task that each loop runs: asyncio's function swap(loop, task), or
// before CPython 3.12 its dict.
[[nodiscard]] PyObject* py_keep_current_tasks(PyObject*, PyObject* tasks) noexcept;
// What waits in the middle of a step of it, in a call that blocks; null: nothing.
[[nodiscard]] Strand* holder_of(const PyObject* task) noexcept;
// follow_held_task(task): what greenlet (its identity) waits in the middle of a step of
// it, in a call that blocks: its method `_go_on`, if it has one, is called when that
// has returned. 0: none does.
[[nodiscard]] PyObject* py_follow_held_task(PyObject*, PyObject* task) noexcept;
// work_is_to_end(): whether what runs here is a request that was told to end.
[[nodiscard]] PyObject* py_work_is_to_end(PyObject*, PyObject*) noexcept;

}  // namespace celadon::green
