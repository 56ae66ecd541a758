// CPython keeps the running asyncio loop and the hooks of asynchronous generators with
// the thread. Here they belong to the greenlet that set them (green.md 3.3): another
// one may run a loop of its own, or none.
#pragma once

#include "py/ref.h"

namespace celadon::green {

class Strand;

// Takes what the greenlet has off the thread while it is parked. Costs one test where
// no loop runs.
class AsyncioAside {
 public:
  explicit AsyncioAside(const Strand& strand) noexcept;
  ~AsyncioAside();
  AsyncioAside(const AsyncioAside&) = delete;
  AsyncioAside& operator=(const AsyncioAside&) = delete;

 private:
  void take_off(const Strand& strand) noexcept;
  void put_back() noexcept;
  py::Object loop_;
  py::Object hooks_;
};

// A job that left its loop running does not hand it to the next one.
void forget_asyncio_loop(Strand& strand) noexcept;

// For asyncio.events: keep(original) takes its function over, set() stands in for it.
[[nodiscard]] PyObject* py_keep_set_running_loop(PyObject*,
                                                 PyObject* original) noexcept;
[[nodiscard]] PyObject* py_set_running_loop(PyObject*, PyObject* loop) noexcept;

}  // namespace celadon::green
