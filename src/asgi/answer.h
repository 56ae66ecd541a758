// From the messages of an application to the answer of its request.
//
//   Start ─► Head ─► Body ─► Whole        the head waits for the first piece of the
//              │       └► Trailers ─┘     body, so that both leave in one write
//              └► File ─► Whole
//
// Each message is checked whole before anything of it leaves. To read one may run code
// of the application's, which may wait, while its request ends and another one begins
// here: nothing is touched before that was looked at (`still`).
#pragma once

#include <cstdint>
#include <string_view>

#include "asgi/head.h"
#include "asgi/outcome.h"
#include "net/owned_fd.h"
#include "server/exchange.h"

namespace celadon::asgi {

class Request;
struct PortObject;

class Answer {
 public:
  explicit Answer(Request& request) noexcept : request_(request) {}
  void clear() noexcept;

  // A message of the application's. Wait: what it holds was taken, but go_on() is to be
  // called once there is room. `port`: the one it came by, which knows whether the
  // request has ended meanwhile.
  [[nodiscard]] Outcome take(PyObject* message, const PortObject& port) noexcept;
  [[nodiscard]] Outcome go_on(const PortObject& port) noexcept;

 private:
  enum class Stage : std::uint8_t { Start, Head, Body, File, Trailers, Whole };
  // A file on its way.
  struct File {
    net::OwnedFd descriptor;
    off_t offset = 0;
    off_t warm = 0;  // so far it is in memory
  };

  [[nodiscard]] Outcome start(PyObject* message, const PortObject& port) noexcept;
  [[nodiscard]] Outcome body(PyObject* message, const PortObject& port) noexcept;
  [[nodiscard]] Outcome whole(PyObject* bytes) noexcept;
  [[nodiscard]] Outcome piece(PyObject* bytes, bool more) noexcept;
  [[nodiscard]] Outcome trailers(PyObject* message, const PortObject& port) noexcept;
  [[nodiscard]] Outcome hint(PyObject* message, const PortObject& port) noexcept;
  [[nodiscard]] Outcome path(PyObject* message, const PortObject& port) noexcept;
  [[nodiscard]] Outcome send_file(const PortObject& port) noexcept;
  [[nodiscard]] bool warm_up(std::size_t& count, const PortObject& port) noexcept;
  [[nodiscard]] Outcome finish() noexcept;
  [[nodiscard]] Outcome settle(server::Sent sent) noexcept;
  [[nodiscard]] bool expect(Stage stage, PyObject* message) const noexcept;
  [[nodiscard]] bool still(Stage stage, PyObject* message,
                           const PortObject& port) const noexcept;
  [[nodiscard]] bool is_open(const PortObject& port) const noexcept;
  [[nodiscard]] server::Exchange& exchange() noexcept;

  Request& request_;
  Head head_;
  File file_;
  Stage stage_ = Stage::Start;
  bool has_trailers_ = false;  // of which the head said that they follow
};

}  // namespace celadon::asgi
