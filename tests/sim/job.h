// One request on its way through its program, by the contract of server/exchange.h.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "sim/app.h"
#include "sim/ids.h"
#include "sim/kernel.h"
#include "sim/memory.h"
#include "sim/socket.h"

namespace celadon::sim {

class Job final : public server::Consumer {
 public:
  Job(SimApp& app, server::Exchange& exchange, Record& record) noexcept
      : app_(app), exchange_(&exchange), record_(record) {
    exchange.set_consumer(this);
    exchange.started_at = app.clock_.now();
  }
  ~Job() override {
    if (file_ >= 0) app_.kernel_.close_file(file_);
  }

  void on_body() noexcept override {
    if (is_socket()) return socket_->on_body();
    if (blocked_ == Blocked::Body) blocked_ = Blocked::No;
  }
  void on_writable() noexcept override {
    if (is_socket()) return socket_->on_writable();
    record_.waits_for_room = false;
    if (blocked_ == Blocked::Output) blocked_ = Blocked::No;
  }
  void on_closing(server::Closing how) noexcept override {
    record_.told_closing = true;
    if (socket_) socket_->on_closing(how);
  }
  void on_gone() noexcept override {
    {
      const memory::Outside outside;
      app_.host_.on_gone(record_);
    }
    if (is_socket()) {
      record_.gone = true;
      socket_->on_gone();
    }
    record_.waits_for_room = false;
    blocked_ = Blocked::No;
  }
  void cancel() noexcept {
    cancelled_ = true;
    record_.waits_for_room = false;
    blocked_ = Blocked::No;
  }
  // It asks for a WebSocket, which is offered to it as long as one may be opened.
  void offer(gateway::WebSocketShare& share) {
    const memory::Inside inside;
    socket_ = std::make_unique<SimSocket>(*exchange_, share, record_, app_.host_);
  }
  // The exchange goes with its server.
  void abandon() noexcept {
    if (!exchange_) return;
    exchange_->set_consumer(nullptr);
    socket_.reset();
  }
  [[nodiscard]] bool done() const noexcept { return !exchange_; }
  [[nodiscard]] server::Exchange* exchange() const noexcept { return exchange_; }
  [[nodiscard]] bool can_run() noexcept {
    if (blocked_ == Blocked::Until && app_.clock_.now() >= until_) {
      blocked_ = Blocked::No;
    }
    if (blocked_ == Blocked::Socket && !socket_->waits()) blocked_ = Blocked::No;
    return exchange_ && blocked_ == Blocked::No;
  }
  [[nodiscard]] const Record& record() const noexcept { return record_; }
  // For a body that has come, or will not.
  [[nodiscard]] bool waits_in_vain() const noexcept {
    if (blocked_ == Blocked::Socket) return socket_->waits_in_vain();
    return blocked_ == Blocked::Body &&
           (exchange_->body_state() != server::BodyState::Open ||
            !exchange_->body().empty());
  }
  // `within`: the server has called, and must have its answer soon.
  void run(bool within);

 private:
  enum class Blocked : std::uint8_t { No, Body, Output, Socket, Until, Ever };

  void step(const Op& op, bool within);
  void read(std::uint64_t most);
  bool take_body(std::uint64_t& left);
  void check_spool();
  void on_body_end(std::uint64_t left);
  void open_tunnel();
  // Of one that is accepted.
  [[nodiscard]] bool is_socket() const noexcept {
    return socket_ && socket_->accepted();
  }
  void step_of_socket(const Op& op);
  void accept();
  void get(std::uint64_t most);
  void say_message(bool is_text, std::size_t size);
  bool end_socket();
  void send_head(std::uint64_t n, server::Part part);
  void send(std::uint64_t n);
  void send_file(std::uint64_t n);
  void note(server::Sent sent);
  void raise();
  void finish();
  void give_up();
  void end();
  void wait_until(Nanos at);
  void next() noexcept {
    ++at_;
    progress_ = 0;
  }
  [[nodiscard]] std::uint64_t planned() const noexcept;
  [[nodiscard]] std::uint64_t announced() const noexcept;
  [[nodiscard]] net::Leave leave() const noexcept {
    return record_.plan->together != 0 ? net::Leave::AtTurnEnd : net::Leave::Now;
  }
  [[nodiscard]] std::uint64_t content() const noexcept {
    return answer_content(record_.client, record_.request);
  }
  [[nodiscard]] Nanos now() const noexcept { return app_.clock_.now(); }
  void say(const std::string& what) const;

  SimApp& app_;
  server::Exchange* exchange_;
  Record& record_;
  std::size_t at_ = 0;          // in its program
  std::uint64_t progress_ = 0;  // in the current step of it
  Blocked blocked_ = Blocked::No;
  Nanos until_ = 0;
  int file_ = -1;
  bool cancelled_ = false;
  std::unique_ptr<SimSocket> socket_;
  SimSocket::Done how_ = SimSocket::Done::Returned;  // it ends
  bool ending_ = false;                              // and waits for its peer
};

}  // namespace celadon::sim
