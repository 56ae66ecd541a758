#include "wsgi/websocket_object.h"

#include <concepts>
#include <utility>

#include "green/remote_call.h"
#include "py/type.h"
#include "wsgi/bridge.h"
#include "wsgi/request.h"
#include "wsgi/text.h"

namespace celadon::wsgi {
namespace {

PyTypeObject* socket_type = nullptr;

WebSocketObject& self_of(PyObject* self) noexcept {
  return *reinterpret_cast<WebSocketObject*>(self);
}

// A connection belongs to the loop's thread: others have it used there, and wait.
PyObject* at_home(PyObject* self, std::predicate<WebSocket&> auto&& use) noexcept {
  const auto call = [self, &use]() -> PyObject* {
    if (WebSocket* socket = self_of(self).socket)
      return use(*socket) ? py::none() : nullptr;
    PyErr_SetString(PyExc_RuntimeError, "the request of this WebSocket has ended");
    return nullptr;
  };
  WebSocket* socket = self_of(self).socket;
  return socket ? green::in_thread_of(socket->hub(), call) : call();
}

PyObject* to_object(const Message& message) noexcept {
  const auto size = static_cast<Py_ssize_t>(message.data.size());
  return message.is_text ? PyUnicode_DecodeUTF8(message.data.data(), size, nullptr)
                         : PyBytes_FromStringAndSize(message.data.data(), size);
}

PyObject* receive(PyObject* self, PyObject*) noexcept {
  std::optional<Message> message;
  const py::Object done(
      at_home(self, [&message](WebSocket& socket) { return socket.receive(message); }));
  if (!done) return nullptr;
  return message ? to_object(*message) : py::none();
}

PyObject* send(PyObject* self, PyObject* data) noexcept {
  if (PyUnicode_Check(data)) {
    Py_ssize_t size = 0;
    const char* text = PyUnicode_AsUTF8AndSize(data, &size);
    if (!text) return nullptr;
    return at_home(self, [=](WebSocket& socket) {
      return socket.send(true, {text, static_cast<std::size_t>(size)});
    });
  }
  Py_buffer view;
  if (PyObject_GetBuffer(data, &view, PyBUF_SIMPLE) < 0) return nullptr;
  PyObject* sent = at_home(self, [&view](WebSocket& socket) {
    return socket.send(false, {static_cast<const char*>(view.buf),
                               static_cast<std::size_t>(view.len)});
  });
  PyBuffer_Release(&view);
  return sent;
}

PyObject* close(PyObject* self, PyObject* args, PyObject* names) noexcept {
  static char code_name[] = "code";
  static char reason_name[] = "reason";
  static char* keywords[] = {code_name, reason_name, nullptr};
  int code = ws::close_code::kNormal;
  const char* reason = "";
  Py_ssize_t size = 0;
  if (!PyArg_ParseTupleAndKeywords(args, names, "|is#:close", keywords, &code, &reason,
                                   &size)) {
    return nullptr;
  }
  const auto number = static_cast<std::uint16_t>(code < 0 || code > 0xFFFF ? 0 : code);
  return at_home(self, [=](WebSocket& socket) {
    return socket.close(number, {reason, static_cast<std::size_t>(size)});
  });
}

PyObject* accept(PyObject* self, PyObject* args, PyObject* names) noexcept {
  static char name[] = "subprotocol";
  static char* keywords[] = {name, nullptr};
  const char* text = nullptr;
  Py_ssize_t size = 0;
  if (!PyArg_ParseTupleAndKeywords(args, names, "|z#:accept", keywords, &text, &size))
    return nullptr;
  const std::string_view wanted(text ? text : "", static_cast<std::size_t>(size));
  return at_home(self, [=](WebSocket& socket) {
    if (!wanted.empty() && !ws::offers_subprotocol(socket.handshake(), wanted)) {
      PyErr_SetString(PyExc_ValueError, "the client has not offered that subprotocol");
      return false;
    }
    return socket.accept(wanted);
  });
}

PyObject* next(PyObject* self) noexcept {
  py::Object message(receive(self, nullptr));
  return message.get() == Py_None ? nullptr : message.release();
}

PyObject* iterate(PyObject* self) noexcept {
  return py::new_ref(self);
}

PyObject* get_environ(PyObject* self, void*) noexcept {
  PyObject* environ = self_of(self).environ;
  return environ ? py::new_ref(environ) : py::none();
}

PyObject* of_environ(PyObject* self, const char* key) noexcept {
  PyObject* environ = self_of(self).environ;
  PyObject* value = environ ? PyDict_GetItemString(environ, key) : nullptr;
  return value ? py::new_ref(value) : py::none();
}
PyObject* get_path(PyObject* self, void*) noexcept {
  return of_environ(self, "PATH_INFO");
}
PyObject* get_origin(PyObject* self, void*) noexcept {
  return of_environ(self, "HTTP_ORIGIN");
}

PyObject* get_protocol(PyObject* self, void*) noexcept {
  const WebSocket* socket = self_of(self).socket;
  if (!socket || socket->subprotocol().empty()) return py::none();
  return to_str(socket->subprotocol()).release();
}

PyObject* get_subprotocols(PyObject* self, void*) noexcept {
  py::Object list(PyList_New(0));
  const WebSocket* socket = self_of(self).socket;
  if (!list || !socket) return list.release();
  for (const std::string_view each : socket->handshake().subprotocols) {
    const py::Object text = to_str(each);
    if (!text || PyList_Append(list.get(), text.get()) < 0) return nullptr;
  }
  return list.release();
}

PyObject* get_version(PyObject*, void*) noexcept {
  return PyLong_FromLong(13);
}

void dealloc(PyObject* self) noexcept {
  py::drop(self_of(self).environ);
  py::free_object(self);
}

PyMethodDef methods[] = {
    {"accept", py::as_method(accept), METH_VARARGS | METH_KEYWORDS,
     "accept(subprotocol=None)\n\nAnswer 101. Others do so with their first call. "
     "Raises "
     "ValueError for a subprotocol that was not offered, RuntimeError once the answer "
     "has begun."},
    {"receive", receive, METH_NOARGS,
     "receive() -> str, bytes or None\n\nThe next message; None once none comes any "
     "more."},
    {"wait", receive, METH_NOARGS, "As receive()."},
    {"send", send, METH_O,
     "send(message)\n\nA str as text, bytes as binary. Waits while the client does not "
     "keep up. Raises ClientDisconnected once the WebSocket is closed."},
    {"close", py::as_method(close), METH_VARARGS | METH_KEYWORDS,
     "close(code=1000, reason=\"\")\n\nBegin the end; nothing happens where it has "
     "begun. "
     "Raises ValueError for a code that may not be sent, or a reason above 123 bytes."},
    {nullptr, nullptr, 0, nullptr}};
PyGetSetDef fields[] = {
    {"path", get_path, nullptr, "PATH_INFO.", nullptr},
    {"origin", get_origin, nullptr, "The field Origin, or None.", nullptr},
    {"protocol", get_protocol, nullptr, "The accepted subprotocol, or None.", nullptr},
    {"subprotocols", get_subprotocols, nullptr, "Those that the client offers.",
     nullptr},
    {"version", get_version, nullptr, "13.", nullptr},
    {"environ", get_environ, nullptr, "Of its request; None once that has ended.",
     nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr}};
PyType_Slot slots[] = {{Py_tp_dealloc, py::as_slot(dealloc)},
                       {Py_tp_iter, py::as_slot(iterate)},
                       {Py_tp_iternext, py::as_slot(next)},
                       {Py_tp_methods, methods},
                       {Py_tp_getset, fields},
                       {0, nullptr}};
PyType_Spec spec{"celadon._core.WebSocket", sizeof(WebSocketObject), 0,
                 Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, slots};

}  // namespace

bool OfferedSocket::offer(Request& request, ws::Handshake handshake,
                          PyObject* environ) noexcept {
  auto* made =
      reinterpret_cast<WebSocketObject*>(socket_type->tp_alloc(socket_type, 0));
  if (!made) return false;
  object_.reset(made);
  socket_ = std::make_unique<WebSocket>(request, std::move(handshake));
  made->socket = socket_.get();
  made->environ = py::new_ref(environ);
  return PyDict_SetItemString(environ, "wsgi.websocket",
                              reinterpret_cast<PyObject*>(made)) == 0;
}

void OfferedSocket::end() noexcept {
  if (!object_) return;
  object_.get()->socket = nullptr;
  socket_.reset();
  const py::Object environ(std::exchange(object_.get()->environ, nullptr));
  object_.reset();
}

int add_websocket_type(PyObject* module) noexcept {
  socket_type = py::add_type(module, spec);
  return socket_type ? 0 : -1;
}

}  // namespace celadon::wsgi
