// The ASGI application as the server sees it: a server::App that turns Exchanges into
// tasks of the worker's event loop.
//
//   hub:  on_request ─► agenda ─► TaskLoop::run_soon
//   loop: attend ─► Request::attend ─► scope, task, first step
//
// The hub runs no user code: whatever a request has to do then waits in the agenda.
#pragma once

#include <memory>

#include "asgi/request.h"
#include "asgi/scope.h"
#include "asgi/task_loop.h"
#include "base/free_list.h"
#include "gateway/bridge.h"

namespace celadon::asgi {

class Bridge final : public gateway::Bridge, private loop::TurnHook {
 public:
  Bridge(green::Hub& hub, py::Object app, py::Object log_exception,
         gateway::Options options, LogSink& log) noexcept;
  // `state`: the lifespan's, a dict; None: there is none. False with an exception.
  [[nodiscard]] bool prepare(PyObject* loop, PyObject* state) noexcept;

  void on_request(server::Exchange& exchange) noexcept override;
  void on_cancel(server::Exchange& exchange) noexcept override;
  [[nodiscard]] std::size_t background() const noexcept override { return background_; }
  void cancel_background() noexcept override;
  void abandon() noexcept override;

  // A request has something to do on the loop.
  void attend_soon(Request& request) noexcept;
  // On the loop: one of them does it.
  void attend() noexcept;

  [[nodiscard]] TaskLoop& loop() noexcept { return loop_; }
  [[nodiscard]] ScopeBuilder& scopes() noexcept { return scopes_; }
  // A task of a request begins; its answer is complete, and it goes on behind that; it
  // ends, there or before.
  void note_task() noexcept { ++load().tasks_answering; }
  void note_background() noexcept;
  void note_task_end(bool in_background) noexcept;
  // A head that waits for its body, until the turn ends.
  void hold(Answer& answer) noexcept { held_.push_back(answer); }
  // A request that has ended.
  void give_back(Request& request) noexcept;

  [[nodiscard]] bool keeps_memory() const noexcept override;
  void give_back_unused() noexcept override;
  void give_back_all() noexcept override;

 private:
  void on_turn_end() noexcept override;
  [[nodiscard]] bool has_more() const noexcept override { return !agenda_.empty(); }

  TaskLoop loop_;
  ScopeBuilder scopes_;
  IntrusiveList<Request, Agenda> agenda_;
  IntrusiveList<Request, Alive> alive_;
  IntrusiveList<Answer, HeldHead> held_;
  std::size_t background_ = 0;
  static constexpr std::size_t kKept = 256;
  FreeList<Request> free_;
};

[[nodiscard]] int add_to_module(PyObject* module) noexcept;

}  // namespace celadon::asgi
