// One ASGI request: the consumer that its exchange wakes, and what its task runs on.
//
//   begin ─► agenda ─► start: scope, task ─► step ... step ─► end
//                                              │ the last send
//                                              ▼
//                                        exchange released; what is left of the
//                                        coroutine goes on in the background
//
// A request that waits holds no greenlet. What the application can keep longer than it
// (receive, send) points back here and is cut off when it ends.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "asgi/answer.h"
#include "asgi/outcome.h"
#include "asgi/port.h"
#include "asgi/socket.h"
#include "base/account.h"
#include "base/intrusive_list.h"
#include "gateway/request_info.h"
#include "gateway/spooled_body.h"
#include "green/hub.h"
#include "server/exchange.h"

namespace celadon::asgi {

class Bridge;
struct CallObject;
struct Agenda;
struct Alive;

class Request final : public server::Consumer,
                      public gateway::Served,
                      public green::Work,
                      public ListHook<Agenda>,
                      public ListHook<Alive>,
                      private loop::Timer {
 public:
  explicit Request(Bridge& bridge) noexcept : bridge_(bridge), answer_(*this) {}
  // Objects are used again: begin() starts a life that end() ends.
  void begin(server::Exchange& exchange) noexcept;

  // Why a task is cancelled by us.
  enum class Cancel : std::uint8_t { No, Disconnect, Shutdown, Timeout };
  // From anywhere: the task is cancelled soon.
  void cancel(Cancel why) noexcept;
  // Its answer is complete, or its client has left, and its task goes on.
  [[nodiscard]] bool in_background() const noexcept { return call_ && !exchange_; }

  // --- on the loop ---
  // Does what there is to do: starts, wakes who waits, cancels.
  void attend() noexcept;
  // One step of its coroutine, by a value or with an exception that is thrown in (three
  // arguments at most, as generators take them).
  [[nodiscard]] PySendResult step(PyObject* value, PyObject** result) noexcept;
  [[nodiscard]] PyObject* step_with(PyObject* const* thrown, Py_ssize_t count) noexcept;
  // Its task has gone without an end.
  void lose_task() noexcept;
  // There is no bridge any more: objects of the application's are cut off.
  void abandon() noexcept;

  // A message for the application, if there is one. Failed: with an exception. `port`:
  // the one it is asked for by, which knows whether the request has ended meanwhile.
  [[nodiscard]] Outcome receive(py::Object& message, const PortObject& port) noexcept;
  [[nodiscard]] Answer& answer() noexcept { return answer_; }
  // Where it asks for one; else null.
  [[nodiscard]] Socket* socket() const noexcept { return socket_.get(); }
  // Of that: it is over, which may be all that is still waited for.
  void on_socket_over() noexcept;
  enum class Side : std::uint8_t { In = 1, Out = 2, Turn = 4 };
  // There is news of that side.
  void note(Side side) noexcept;
  // A future that is resolved once there is. `sender`: in whose place in the line it
  // waits for room, or null. Null with an exception.
  [[nodiscard]] py::Object wait_for(Side side, const void* sender) noexcept;
  void forget(PyObject* future) noexcept;
  // Calls of `send` whose messages wait to be taken, in their order: the first one is
  // told of room, and those behind it once it has left.
  [[nodiscard]] bool is_next(const void* sender) const noexcept {
    return senders_.empty() || senders_.front() == sender;
  }
  void stand_in_line(const void* sender) noexcept { senders_.push_back(sender); }
  void leave_line(const void* sender) noexcept;
  // Whether others are to have their turn first.
  [[nodiscard]] bool has_had_its_share() const noexcept;
  void head_is_out() noexcept { end_limit(); }
  // The answer is complete, or there will be none: the connection goes on.
  void let_go() noexcept;
  // Answers where the application does not.
  void refuse(http::Rejection why) noexcept;

  [[nodiscard]] Bridge& bridge() noexcept { return bridge_; }
  // Null once the answer is complete.
  [[nodiscard]] server::Exchange* open_exchange() noexcept { return exchange_; }
  // The client left before its answer was complete.
  [[nodiscard]] bool client_left() const noexcept { return client_left_; }
  // The application was told, in the middle of the body, that its client has left. Who
  // only sends nothing more hears why that is wrong (400), but not from it.
  [[nodiscard]] bool is_cut_off() const noexcept { return cut_off_; }

  [[nodiscard]] green::Hub& hub() const noexcept override;
  [[nodiscard]] server::Exchange& exchange() noexcept override { return *exchange_; }
  [[nodiscard]] std::string_view mount() const noexcept override;
  [[nodiscard]] PyObject* info() const noexcept override {
    return reinterpret_cast<PyObject*>(info_.get());
  }
  [[nodiscard]] PyObject* take_socket() noexcept override;
  [[nodiscard]] std::string describe() const override;
  [[nodiscard]] bool is_to_end() const noexcept override {
    return cancelled_ != Cancel::No;
  }

 private:
  class Step;
  struct Waiter {
    PyObject* future;  // owned
    Side side;
    const void* sender;  // null: it stands in no line
  };

  void on_body() noexcept override;
  void on_writable() noexcept override;
  void on_closing(server::Closing how) noexcept override;
  void on_gone() noexcept override;
  void on_peer_shut() noexcept override { note(Side::In); }
  void on_timer() noexcept override;

  [[nodiscard]] bool closes_still() noexcept;
  [[nodiscard]] bool has_lost_client() const noexcept;
  void start() noexcept;
  [[nodiscard]] bool call_app() noexcept;
  [[nodiscard]] PySendResult settle(PySendResult sent, PyObject** result) noexcept;
  [[nodiscard]] bool on_exception() noexcept;
  void on_return() noexcept;
  [[nodiscard]] py::Object make_environ() noexcept;
  [[nodiscard]] Outcome receive_body(py::Object& message,
                                     const PortObject& port) noexcept;
  [[nodiscard]] Outcome receive_spooled(py::Object& message,
                                        const PortObject& port) noexcept;
  void wake(std::uint8_t sides) noexcept;
  void wake_all() noexcept;
  void end_limit() noexcept;
  void log_scope() noexcept;
  void detach() noexcept;
  void end() noexcept;

  Bridge& bridge_;
  server::Exchange* exchange_ = nullptr;
  Answer answer_;
  Account account_;
  Ports ports_;
  py::Owned<gateway::RequestInfoObject> info_;
  py::Object scope_;         // until the application has it
  py::Object logged_scope_;  // where the access log asks for something of it
  py::Object task_;
  py::Owned<CallObject> call_;
  std::vector<Waiter> waiters_;
  std::vector<const void*> senders_;
  std::unique_ptr<gateway::SpooledBody> spooled_;
  std::unique_ptr<Socket> socket_;
  green::Strand* runs_on_ = nullptr;  // while a step runs, or is parked
  std::string line_;                  // of a request whose exchange has gone
  std::uint8_t news_ = 0;             // sides of which there is some
  std::uint32_t noted_ = 0;           // how often there was
  Cancel cancelled_ = Cancel::No;
  Cancel before_limit_ = Cancel::No;  // what it was when request_timeout came
  bool to_cancel_ = false;
  bool interrupted_ = false;  // in the step that runs
  bool body_given_ = false;
  bool client_left_ = false;
  bool cut_off_ = false;
  bool told_of_end_ = false;       // the client sends nothing more, and it was told so
  bool waits_for_client_ = false;  // since its step began
  std::uint8_t deadline_stage_ = 0;
};

}  // namespace celadon::asgi
