// The event loop of a worker, as far as the bridge needs it: where it says that it has
// something to do there, and what makes tasks and futures.
//
//   hub: Bridge::attend_soon ─► a turn among what the loop has to run, and the loop
//   woken loop: turn._run() ─► Bridge::attend: starts a coroutine, wakes one, cancels
//   one
//
// A turn is no asyncio.Handle, but is run as one: what the hub does for it runs no
// Python code.
#pragma once

#include "aio/loop_wait.h"
#include "py/ref.h"

namespace celadon::asgi {

class Bridge;

class TaskLoop {
 public:
  ~TaskLoop();
  // `loop`: a celadon.aio.EventLoop. False with an exception.
  [[nodiscard]] bool prepare(PyObject* loop, Bridge& bridge) noexcept;
  // The bridge is attended to once more, at the loop's next turn. In the hub, too.
  void run_soon() noexcept;

  // --- on the loop ---
  // A task that runs `call`, a coroutine, whose first step is done when this returns,
  // if it is no task of another kind. Null with an exception.
  [[nodiscard]] py::Object start_task(PyObject* call) noexcept;
  [[nodiscard]] py::Object make_future() noexcept;
  // It is waited for no longer, unless it is done already.
  void resolve(PyObject* future) noexcept;
  void cancel(PyObject* task) noexcept;
  [[nodiscard]] PyObject* object() const noexcept { return loop_.get(); }
  [[nodiscard]] PyObject* cancelled_error() const noexcept {
    return cancelled_error_.get();
  }

 private:
  [[nodiscard]] bool is_closed() const noexcept;
  // Of the application's: loop.set_task_factory.
  [[nodiscard]] bool has_factory() const noexcept;
  [[nodiscard]] py::Object start_by_factory(PyObject* call) noexcept;

  aio::LoopWait* wait_ = nullptr;  // of the loop, which lives as long as this
  py::Object loop_;
  py::Object attributes_;  // its dict
  py::Object append_;      // method of what it has to run
  py::Object turn_;
  py::Object catcher_;  // stands in for its call_soon while a task is made
  py::Object task_type_;
  py::Object loop_keyword_;     // ("loop",)
  py::Object context_keyword_;  // ("context",)
  py::Object self_name_;        // "__self__"
  py::Object create_future_;
  py::Object cancelled_error_;
  py::Object invalid_state_error_;
  py::Object call_soon_name_;
  py::Object create_task_name_;
  py::Object task_factory_name_;
  py::Object set_result_name_;
  py::Object cancel_name_;
};

[[nodiscard]] int add_turn_type(PyObject* module) noexcept;

}  // namespace celadon::asgi
