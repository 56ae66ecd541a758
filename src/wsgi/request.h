// One WSGI request: a job for a runner, and the consumer that its exchange wakes.
//
//   Bridge::on_request ─► Request (queued) ─► run(): environ ► app ► iterate ► close
//
// The objects that the application can keep longer than the request (input, the start
// function, early hints) point back here and are cut off when it ends: a late use
// raises and never touches another request (http.md T13, T15).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "gateway/request_info.h"
#include "green/hub.h"
#include "server/exchange.h"
#include "wsgi/responder.h"
#include "wsgi/websocket_object.h"

namespace celadon::wsgi {

class Bridge;
class Shape;
struct FileRange;

class Request final : public green::Job,
                      public server::Consumer,
                      public gateway::Served {
 public:
  explicit Request(Bridge& bridge) noexcept : bridge_(bridge) {}
  // Objects are used again: begin() starts a life that run() ends.
  void begin(server::Exchange& exchange) noexcept;

  void run(green::Strand& strand) noexcept override;
  [[nodiscard]] std::string describe() const override;

  void on_body() noexcept override;
  void on_writable() noexcept override;
  void on_gone() noexcept override;
  void on_closing(server::Closing how) noexcept override;

  [[nodiscard]] green::Hub& hub() const noexcept override;
  [[nodiscard]] server::Exchange& exchange() noexcept override { return *exchange_; }
  [[nodiscard]] std::string_view mount() const noexcept override;
  [[nodiscard]] Bridge& bridge() noexcept { return bridge_; }
  [[nodiscard]] green::Strand* strand() const noexcept { return strand_; }

  // environ["celadon.request"], borrowed; null before the application has begun.
  [[nodiscard]] PyObject* info() const noexcept override {
    return reinterpret_cast<PyObject*>(kit_.info.get());
  }

  // Wait until there is a byte of body, its end, or its failure. False with an
  // exception.
  [[nodiscard]] bool wait_body() noexcept;
  // Sends a non-empty piece of the answer, the head before it if it is not out. Parks
  // while the client does not keep up. False with an exception.
  [[nodiscard]] bool send(PyObject* bytes, net::Leave leave) noexcept;
  // Between two pieces that did not have to wait: others get their turn by the clock.
  // False with an exception.
  [[nodiscard]] bool share_time() noexcept;
  // Whether who runs is to let others run.
  [[nodiscard]] bool has_had_its_share() const noexcept;
  [[nodiscard]] PyObject* take_socket() noexcept override;
  // Another protocol goes on: request_timeout ends here, and so does the body.
  void on_switched() noexcept {
    strand_->set_deadline(kNever);
    wake_waiter(Waiting::Body);
  }
  // True once everything the declared length allows has been sent.
  [[nodiscard]] bool complete() const noexcept;
  [[nodiscard]] bool takes_a_file() const noexcept;
  // Ends the request early: shutdown, or the client left and the setting says so.
  void kill() noexcept;

 private:
  enum class Waiting : std::uint8_t { Nothing, Body, Write };

  void wake_waiter(Waiting what) noexcept;
  [[nodiscard]] green::Waited wait_for(Waiting what, green::ParkReason reason) noexcept;
  [[nodiscard]] bool wait_writable() noexcept;

  // What the application runs on top of is copied while it waits, so these frames are
  // kept small: the others stay out of them.
  void serve() noexcept;
  [[nodiscard]] bool call_app(PyObject* environ) noexcept;
  [[gnu::noinline]] void settle_environ(py::Object environ) noexcept;
  [[nodiscard, gnu::noinline]] py::Object make_environ(
      http::Rejection& rejection) noexcept;
  [[nodiscard, gnu::noinline]] bool answer(PyObject* result) noexcept;
  [[nodiscard]] bool answer_single(PyObject* bytes) noexcept;
  [[nodiscard]] bool answer_empty() noexcept;
  [[nodiscard]] bool answer_iterable(PyObject* result) noexcept;
  [[nodiscard]] bool answer_item(PyObject* item) noexcept;
  [[nodiscard]] bool send_file_head(std::uint64_t size) noexcept;
  [[nodiscard]] bool answer_file(PyObject* wrapper, const FileRange& range) noexcept;
  [[nodiscard]] bool require_started() noexcept;
  void head_is_out() noexcept;
  [[gnu::noinline]] void close_result(PyObject* result) noexcept;
  [[gnu::noinline]] void on_exception(PyObject* environ) noexcept;
  [[nodiscard]] bool leaves_a_socket() const noexcept;
  // Of WebSockets (upgrade.cc).
  [[nodiscard, gnu::noinline]] bool refuses_handshake() noexcept;
  [[nodiscard, gnu::noinline]] bool offer_sockets(PyObject* environ) noexcept;
  [[gnu::noinline]] void end() noexcept;
  void detach() noexcept;

  Bridge& bridge_;
  server::Exchange* exchange_ = nullptr;
  green::Strand* strand_ = nullptr;  // the runner
  green::Strand* waiter_ = nullptr;  // who waits on the exchange, mostly the runner
  Waiting waiting_ = Waiting::Nothing;
  bool killed_ = false;
  Shape* lender_ = nullptr;    // of the environ, if it is lent
  std::uint64_t as_made_ = 0;  // its version then; 0: unknown
  OfferedSocket offered_;      // where it asks for a WebSocket
  Kit kit_;                    // made by the first run, kept for the next ones
};

}  // namespace celadon::wsgi
