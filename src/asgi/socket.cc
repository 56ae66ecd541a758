#include "asgi/socket.h"

#include <array>
#include <utility>

#include "asgi/bridge.h"
#include "asgi/head.h"
#include "asgi/message.h"
#include "asgi/port.h"
#include "asgi/request.h"
#include "gateway/bytes.h"
#include "gateway/exceptions.h"
#include "gateway/text.h"
#include "py/brief.h"

namespace celadon::asgi {
namespace {

Outcome fail_closed() noexcept {
  PyErr_SetString(gateway::exceptions().client_disconnected, "the WebSocket is closed");
  return Outcome::Failed;
}

Outcome fail(PyObject* type, const char* format, PyObject* what) noexcept {
  py::raise_about(type, format, what);
  return Outcome::Failed;
}

Outcome fail_by(gateway::WebSocket::Objection why, PyObject* dict) noexcept {
  using enum gateway::WebSocket::Objection;
  switch (why) {
    case NotOffered:
      return fail(PyExc_ValueError, "the client does not offer that subprotocol: %U",
                  dict);
    case NotOwn:
      return fail(PyExc_ValueError, "Sec-WebSocket fields are the server's to say: %U",
                  dict);
    case Late:
      return fail(PyExc_RuntimeError,
                  "the answer has begun, or this connection ends with it: %U", dict);
    case Gone: break;
  }
  return fail_closed();
}

Outcome give(py::Object made, py::Object& message) noexcept {
  message = std::move(made);
  return message ? Outcome::Done : Outcome::Failed;
}

py::Object to_message(const gateway::Message& message) noexcept {
  const auto size = static_cast<Py_ssize_t>(message.data.size());
  const py::Object data(message.is_text
                            ? PyUnicode_DecodeUTF8(message.data.data(), size, nullptr)
                            : PyBytes_FromStringAndSize(message.data.data(), size));
  return data ? receive_message(data.get(), message.is_text) : py::Object();
}

// None, or a str of which `text` is a view. False with an exception.
bool read_text(PyObject* value, const char* format, std::string_view& text) noexcept {
  if (!value || value == Py_None) return !PyErr_Occurred();
  Py_ssize_t size = 0;
  const char* data =
      PyUnicode_Check(value) ? PyUnicode_AsUTF8AndSize(value, &size) : nullptr;
  if (data) text = {data, static_cast<std::size_t>(size)};
  if (!data && !PyErr_Occurred()) py::raise_about(PyExc_TypeError, format, value);
  return data != nullptr;
}

}  // namespace

Socket::Socket(Request& request, server::Exchange& exchange, Bridge& bridge) noexcept
    : gateway::WebSocket(exchange, bridge.websockets()),
      request_(request),
      bridge_(bridge) {}

void Socket::on_news(News news) noexcept {
  if ((news & kIn) != 0) request_.note(Request::Side::In);
  if ((news & kOut) != 0) request_.note(Request::Side::Out);
  if ((news & kOver) != 0) request_.on_socket_over();
}

Outcome Socket::receive(py::Object& message) noexcept {
  if (!std::exchange(connect_told_, true)) return give(connect_message(), message);
  gateway::Message next;
  if (accepted() && WebSocket::take(next)) return give(to_message(next), message);
  const server::Exchange* x = request_.open_exchange();
  // Before the answer to its handshake a client that sends nothing more has left.
  const bool may_come = x && !x->gone() && !x->ended() && !x->peer_shut();
  if (accepted() ? is_open() : may_come) return Outcome::Wait;
  if (!accepted()) return give(closed_message(ws::close_code::kLost, {}), message);
  const End end = how_it_ended();
  return give(closed_message(end.code, end.reason), message);
}

Outcome Socket::take(PyObject* dict, const Sender& sender) noexcept {
  Message message(dict);
  const std::string_view type = message.type();
  if (type.empty()) return Outcome::Failed;
  if (!sender.port.request) return fail_closed();
  if (accepted() && !is_open() && type != "websocket.close") return fail_closed();
  if (type == "websocket.send") return send_message(dict, sender);
  if (type == "websocket.accept") return accept(dict, sender.port);
  // It waits for nobody: a client that takes nothing any more is left by it.
  if (type == "websocket.close") return close_by(dict, sender.port);
  if (!accepted() && type.starts_with("websocket.http.response."))
    return request_.answer().take(dict, sender);
  return fail(PyExc_ValueError, "a message that no WebSocket knows: %U", dict);
}

Outcome Socket::accept(PyObject* dict, const PortObject& port) noexcept {
  if (accepted())
    return fail(PyExc_RuntimeError, "the WebSocket was accepted already: %U", dict);
  Message message(dict);
  Head own;
  if (message.type().empty()) return Outcome::Failed;
  // The fields, which are read behind it, may take it out of the message.
  const py::Object given = py::Object::copy(message.find(Name::Subprotocol));
  std::string_view subprotocol;
  if (!read_text(given.get(), "a subprotocol must be a str, not %U", subprotocol))
    return Outcome::Failed;
  PyObject* headers = message.find(Name::Headers);
  if ((!headers && PyErr_Occurred()) || (headers && !own.set_fields(headers, bridge_)))
    return Outcome::Failed;
  if (!port.request || !request_.open_exchange() || request_.exchange().peer_shut())
    return fail_closed();
  if (request_.answer().has_begun()) return fail_by(Objection::Late, dict);
  const auto done = gateway::WebSocket::accept(subprotocol, own.view());
  if (!done) return fail_by(done.error(), dict);
  request_.head_is_out();  // a WebSocket has no deadline
  return Outcome::Done;
}

Outcome Socket::send_message(PyObject* dict, const Sender& sender) noexcept {
  if (!accepted()) return fail(PyExc_RuntimeError, "before websocket.accept: %U", dict);
  Message message(dict);
  if (message.type().empty()) return Outcome::Failed;
  PyObject* bytes = message.find(Name::Bytes);
  if (!bytes && PyErr_Occurred()) return Outcome::Failed;
  PyObject* text = message.find(Name::Text);
  if (!text && PyErr_Occurred()) return Outcome::Failed;
  if (!sender.port.request) return fail_closed();
  const bool has_bytes = bytes && bytes != Py_None;
  const bool has_text = text && text != Py_None;
  if (has_bytes == has_text)
    return fail(PyExc_ValueError, "a message has either text or bytes: %U", dict);
  std::string_view data;
  py::Object kept;
  if (has_text) {
    if (!read_text(text, "the text must be a str, not %U", data))
      return Outcome::Failed;
  } else {
    kept = as_bytes(bytes, "the bytes must be bytes, not %U");
    if (!kept) return Outcome::Failed;
    data = gateway::view_bytes(kept.get());
  }
  if (!sender.is_next || is_blocked()) return Outcome::Wait;
  if (!sender.had_turn && request_.has_had_its_share()) return Outcome::Turn;
  return send(has_text, data, bridge_.leave()) ? Outcome::Done : fail_closed();
}

Outcome Socket::close_by(PyObject* dict, const PortObject& port) noexcept {
  Message message(dict);
  if (message.type().empty()) return Outcome::Failed;
  int code = ws::close_code::kNormal;
  PyObject* given = message.find(Name::Code);
  if (given && given != Py_None) {
    const long number = PyLong_Check(given) ? PyLong_AsLong(given) : -1;
    if (number < 0 || number > 4999) {
      PyErr_Clear();
      return fail(PyExc_ValueError, "no code to close a WebSocket with: %U", given);
    }
    code = static_cast<int>(number);
  }
  std::string_view reason;
  if (PyErr_Occurred() ||
      !read_text(message.find(Name::Reason), "a reason must be a str, not %U", reason))
    return Outcome::Failed;
  if (!port.request) return fail_closed();
  if (!accepted()) return forbid(dict);
  switch (close(static_cast<std::uint16_t>(code), reason, bridge_.leave())) {
    case ws::Refusal::None:
      drop_messages();  // the next one that it receives says that it is closed
      return Outcome::Done;
    // Who closes what its peer has closed has nothing to hear of that.
    case ws::Refusal::NotOpen: return Outcome::Done;
    case ws::Refusal::TooLong:
      return fail(PyExc_ValueError,
                  "the reason to close a WebSocket has at most 123 bytes: %U", dict);
    case ws::Refusal::BadCode:
    case ws::Refusal::BadReason: break;
  }
  return fail(PyExc_ValueError, "no code to close a WebSocket with: %U", dict);
}

// Before it was accepted.
Outcome Socket::forbid(PyObject* dict) noexcept {
  constexpr std::string_view kPage = "forbidden\n";
  constexpr int kForbidden = 403;
  if (request_.answer().has_begun()) return fail_by(Objection::Late, dict);
  server::Exchange* x = request_.open_exchange();
  if (!x || x->head_sent()) return Outcome::Done;
  const std::array fields{http::HeaderView{"Content-Type", "text/plain"}};
  http::ResponseHead head;
  head.status = kForbidden;
  head.reason = http::reason_phrase(kForbidden);
  head.headers = fields;
  head.content_length = kPage.size();
  const auto sent = x->send_whole(head, kPage, {}, bridge_.leave());
  if (sent == server::Sent::Gone) return fail_closed();
  request_.let_go();
  return Outcome::Done;
}

}  // namespace celadon::asgi
