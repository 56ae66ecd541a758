#include "wsgi/websocket_object.h"

#include <concepts>
#include <utility>

#include "gateway/exceptions.h"
#include "gateway/text.h"
#include "green/remote_call.h"
#include "py/type.h"
#include "wsgi/bridge.h"
#include "wsgi/request.h"

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
    PyErr_SetString(gateway::exceptions().client_disconnected,
                    "the request of this WebSocket has ended");
    return nullptr;
  };
  WebSocket* socket = self_of(self).socket;
  return socket ? green::in_thread_of(socket->hub(), call) : call();
}

PyObject* to_object(const gateway::Message& message) noexcept {
  const auto size = static_cast<Py_ssize_t>(message.data.size());
  return message.is_text ? PyUnicode_DecodeUTF8(message.data.data(), size, nullptr)
                         : PyBytes_FromStringAndSize(message.data.data(), size);
}

PyObject* raise_closed() noexcept {
  PyErr_SetString(gateway::exceptions().client_disconnected, "the WebSocket is closed");
  return nullptr;
}

// None where none comes any more.
PyObject* take_message(PyObject* self) noexcept {
  if (!self_of(self).socket) return py::none();
  std::optional<gateway::Message> message;
  const py::Object done(
      at_home(self, [&message](WebSocket& socket) { return socket.receive(message); }));
  if (!done) return nullptr;
  return message ? to_object(*message) : py::none();
}

// Who asks on and on is stopped.
PyObject* receive(PyObject* self, PyObject*) noexcept {
  py::Object message(take_message(self));
  if (message.get() == Py_None && std::exchange(self_of(self).told_end, true))
    return raise_closed();
  return message.release();
}

struct End {
  bool closed = true;
  bool has_messages = false;
};

// False with an exception: other threads wait for their answer.
bool look_at_end(PyObject* self, End& end) noexcept {
  if (!self_of(self).socket) return true;
  const py::Object done(at_home(self, [&end](WebSocket& socket) {
    end = {socket.has_closed(), socket.has_messages()};
    return true;
  }));
  if (done) return true;
  if (!PyErr_ExceptionMatches(gateway::exceptions().client_disconnected)) return false;
  PyErr_Clear();  // it ended meanwhile
  return true;
}

PyObject* send_bytes(PyObject* self, PyObject* data, bool is_text) noexcept {
  Py_buffer view;
  if (PyObject_GetBuffer(data, &view, PyBUF_SIMPLE) < 0) return nullptr;
  const py::Object checked(
      is_text
          ? PyUnicode_DecodeUTF8(static_cast<const char*>(view.buf), view.len, nullptr)
          : py::none());
  PyObject* sent =
      checked
          ? at_home(self,
                    [&](WebSocket& socket) {
                      return socket.send(is_text, {static_cast<const char*>(view.buf),
                                                   static_cast<std::size_t>(view.len)});
                    })
          : nullptr;
  PyBuffer_Release(&view);
  return sent;
}

PyObject* send(PyObject* self, PyObject* args, PyObject* names) noexcept {
  static char message_name[] = "message";
  static char binary_name[] = "binary";
  static char* keywords[] = {message_name, binary_name, nullptr};
  PyObject* data = nullptr;
  PyObject* binary = Py_None;
  if (!PyArg_ParseTupleAndKeywords(args, names, "O|O:send", keywords, &data, &binary))
    return nullptr;
  // Before what is to be sent is looked at.
  End end;
  if (!look_at_end(self, end)) return nullptr;
  if (end.closed) return raise_closed();
  const int is_binary =
      binary == Py_None ? !PyUnicode_Check(data) : PyObject_IsTrue(binary);
  if (is_binary < 0) return nullptr;
  if (!PyUnicode_Check(data)) return send_bytes(self, data, is_binary == 0);
  Py_ssize_t size = 0;
  const char* text = PyUnicode_AsUTF8AndSize(data, &size);
  if (!text) return nullptr;
  return at_home(self, [=](WebSocket& socket) {
    return socket.send(is_binary == 0, {text, static_cast<std::size_t>(size)});
  });
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
  if (!self_of(self).socket) return py::none();
  return at_home(self, [=](WebSocket& socket) {
    return socket.close(code, {reason, static_cast<std::size_t>(size)});
  });
}

PyObject* accept(PyObject* self, PyObject* args, PyObject* names) noexcept {
  static char subprotocol_name[] = "subprotocol";
  static char headers_name[] = "headers";
  static char* keywords[] = {subprotocol_name, headers_name, nullptr};
  const char* text = nullptr;
  Py_ssize_t size = 0;
  PyObject* headers = Py_None;
  if (!PyArg_ParseTupleAndKeywords(args, names, "|z#O:accept", keywords, &text, &size,
                                   &headers)) {
    return nullptr;
  }
  const std::string_view wanted(text ? text : "", static_cast<std::size_t>(size));
  const py::Object items = fields_of(headers);
  if (!items) return nullptr;
  return at_home(self, [&](WebSocket& socket) {
    OwnFields fields;
    return fields.read(items.get(), socket.bridge()) && socket.accept(wanted, fields);
  });
}

PyObject* next(PyObject* self) noexcept {
  py::Object message(take_message(self));
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
  return gateway::to_str(socket->subprotocol()).release();
}

PyObject* get_subprotocols(PyObject* self, void*) noexcept {
  py::Object list(PyList_New(0));
  const WebSocket* socket = self_of(self).socket;
  if (!list || !socket) return list.release();
  for (const std::string_view each : socket->subprotocols()) {
    const py::Object text = gateway::to_str(each);
    if (!text || PyList_Append(list.get(), text.get()) < 0) return nullptr;
  }
  return list.release();
}

PyObject* get_closed(PyObject* self, void*) noexcept {
  End end;
  if (!look_at_end(self, end)) return nullptr;
  return PyBool_FromLong(end.closed && !end.has_messages);
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
     "accept(subprotocol=None, headers=None)\n\nAnswer 101. Others do so with their "
     "first call. `headers`: its own fields, (name, value) tuples of str as of "
     "start_response, or a dict. Raises ValueError for a subprotocol that was not "
     "offered and a field that no answer or no application may have, RuntimeError once "
     "the answer has begun."},
    {"receive", receive, METH_NOARGS,
     "receive() -> str, bytes or None\n\nThe next message; None when none comes any "
     "more. Raises ClientDisconnected from then on."},
    {"wait", receive, METH_NOARGS, "As receive()."},
    {"send", py::as_method(send), METH_VARARGS | METH_KEYWORDS,
     "send(message, binary=None)\n\nA str as text, bytes as binary, unless `binary` "
     "says "
     "which. Waits while the client does not "
     "keep up; what is raised meanwhile comes before it was sent. Raises "
     "ClientDisconnected once the WebSocket is closed."},
    {"close", py::as_method(close), METH_VARARGS | METH_KEYWORDS,
     "close(code=1000, reason=\"\")\n\nBegin the end; nothing happens where it has "
     "begun. "
     "Raises ValueError for a code that may not be sent, or a reason that is not "
     "UTF-8 or above 123 bytes."},
    {nullptr, nullptr, 0, nullptr}};
PyGetSetDef fields[] = {
    {"path", get_path, nullptr, "PATH_INFO.", nullptr},
    {"origin", get_origin, nullptr, "The field Origin, or None.", nullptr},
    {"protocol", get_protocol, nullptr, "The accepted subprotocol, or None.", nullptr},
    {"subprotocols", get_subprotocols, nullptr, "Those that the client offers.",
     nullptr},
    {"closed", get_closed, nullptr,
     "Whether it was open and is not any more, and no message waits.", nullptr},
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

bool OfferedSocket::offer(Request& request, PyObject* environ) noexcept {
  auto* made =
      reinterpret_cast<WebSocketObject*>(socket_type->tp_alloc(socket_type, 0));
  if (!made) return false;
  object_.reset(made);
  socket_ = std::make_unique<WebSocket>(request);
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
