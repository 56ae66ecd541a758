// From the messages of an application to the answer of its request.
//
//   Start ─► Head ─► Body ─► Whole        the head waits for the first piece of the
//              │   ▲   └► Trailers ─┘     body, so that both leave in one write
//              ├─ Ahead ─┐
//              └─► File ◄┘─► Whole
//
// Where nothing else is to be done, or for too long, the head leaves ahead of the rest:
// its client may be told nothing more for a while.
//
// Each message is checked whole before anything of it leaves. To read one may run code
// of the application's, which may wait, while its request ends and another one begins
// here: nothing is touched before that was looked at (`still`).
#pragma once

#include <cstdint>
#include <string_view>

#include "asgi/head.h"
#include "asgi/outcome.h"
#include "base/clock.h"
#include "base/intrusive_list.h"
#include "net/owned_fd.h"
#include "server/exchange.h"

namespace celadon::asgi {

class Request;
struct HeldHead;
struct PortObject;
struct Sender;

class Answer final : public ListHook<HeldHead> {
 public:
  explicit Answer(Request& request) noexcept : request_(request) {}
  void clear() noexcept;

  // A message of the application's. Begun: go_on() sends the rest of it.
  [[nodiscard]] Outcome take(PyObject* message, const Sender& sender) noexcept;
  // Wait and Turn: it is to be called again.
  [[nodiscard]] Outcome go_on(const PortObject& port) noexcept;
  void note_room() noexcept { is_full_ = false; }
  // Its head was taken, and may be out.
  [[nodiscard]] bool has_begun() const noexcept { return stage_ != Stage::Start; }
  // At the end of a turn, of one whose head is held: it leaves ahead, or waits on.
  void leave_ahead() noexcept;

 private:
  enum class Stage : std::uint8_t { Start, Head, Ahead, Body, File, Trailers, Whole };
  // A file on its way.
  struct File {
    net::OwnedFd descriptor;
    off_t offset = 0;
    off_t warm = 0;  // so far it is in memory
  };

  [[nodiscard]] Outcome start(PyObject* message, const PortObject& port) noexcept;
  [[nodiscard]] Outcome body(PyObject* message, const Sender& sender) noexcept;
  [[nodiscard]] Outcome whole(PyObject* bytes) noexcept;
  [[nodiscard]] Outcome piece(PyObject* bytes, bool more) noexcept;
  [[nodiscard]] Outcome trailers(PyObject* message, const PortObject& port) noexcept;
  [[nodiscard]] Outcome hint(PyObject* message, const PortObject& port) noexcept;
  [[nodiscard]] Outcome path(PyObject* message, const PortObject& port) noexcept;
  [[nodiscard]] bool send_head_of(std::uint64_t size) noexcept;
  [[nodiscard]] Outcome send_file(const PortObject& port) noexcept;
  [[nodiscard]] bool warm_up(std::size_t& count, const PortObject& port) noexcept;
  [[nodiscard]] Outcome finish() noexcept;
  [[nodiscard]] bool expect(Stage stage, PyObject* message) const noexcept;
  [[nodiscard]] bool expect_body(PyObject* message) const noexcept;
  [[nodiscard]] bool still(Stage stage, PyObject* message,
                           const PortObject& port) const noexcept;
  [[nodiscard]] bool is_open(const PortObject& port) const noexcept;
  [[nodiscard]] server::Exchange& exchange() noexcept;

  Request& request_;
  Head head_;
  File file_;
  Stage stage_ = Stage::Start;
  Nanos held_since_ = 0;       // the head
  bool has_trailers_ = false;  // of which the head said that they follow
  bool is_full_ = false;       // the client does not take what was sent
};

}  // namespace celadon::asgi
