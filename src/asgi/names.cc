#include "asgi/names.h"

#include <array>

namespace celadon::asgi {
namespace {

constexpr auto kNames = static_cast<std::size_t>(Name::Count);
constexpr std::array<const char*, kNames> kTexts{"type",
                                                 "body",
                                                 "more_body",
                                                 "status",
                                                 "headers",
                                                 "trailers",
                                                 "more_trailers",
                                                 "links",
                                                 "path",
                                                 "subprotocol",
                                                 "subprotocols",
                                                 "bytes",
                                                 "text",
                                                 "code",
                                                 "reason",
                                                 "websocket.connect",
                                                 "websocket.receive",
                                                 "websocket.disconnect",
                                                 "websocket",
                                                 "http.request",
                                                 "http.disconnect",
                                                 "http",
                                                 "asgi",
                                                 "http_version",
                                                 "method",
                                                 "scheme",
                                                 "raw_path",
                                                 "query_string",
                                                 "root_path",
                                                 "client",
                                                 "server",
                                                 "extensions",
                                                 "state"};
std::array<PyObject*, kNames> names{};  // alive as long as the process

bool put(PyObject* dict, Name key, PyObject* value) noexcept {
  return value && PyDict_SetItem(dict, name_of(key), value) == 0;
}

}  // namespace

PyObject* name_of(Name name) noexcept {
  return names[static_cast<std::size_t>(name)];
}

bool make_names() noexcept {
  for (std::size_t i = 0; i < kNames; ++i) {
    if (!names[i]) names[i] = PyUnicode_InternFromString(kTexts[i]);
    if (!names[i]) return false;
  }
  return true;
}

py::Object disconnect_message() noexcept {
  py::Object message(PyDict_New());
  if (!message || !put(message.get(), Name::Type, name_of(Name::HttpDisconnect)))
    return {};
  return message;
}

py::Object connect_message() noexcept {
  py::Object message(PyDict_New());
  if (!message || !put(message.get(), Name::Type, name_of(Name::WebsocketConnect)))
    return {};
  return message;
}

py::Object receive_message(PyObject* data, bool is_text) noexcept {
  py::Object message(PyDict_New());
  if (!message || !put(message.get(), Name::Type, name_of(Name::WebsocketReceive)) ||
      !put(message.get(), is_text ? Name::Text : Name::Bytes, data)) {
    return {};
  }
  return message;
}

py::Object closed_message(int code, std::string_view reason) noexcept {
  py::Object message(PyDict_New());
  const py::Object number(PyLong_FromLong(code));
  const py::Object text(PyUnicode_DecodeUTF8(
      reason.data(), static_cast<Py_ssize_t>(reason.size()), "replace"));
  if (!message || !put(message.get(), Name::Type, name_of(Name::WebsocketDisconnect)) ||
      !put(message.get(), Name::Code, number.get()) ||
      !put(message.get(), Name::Reason, text.get())) {
    return {};
  }
  return message;
}

py::Object request_message(py::Object body, bool more) noexcept {
  py::Object message(PyDict_New());
  if (!message || !put(message.get(), Name::Type, name_of(Name::HttpRequest)) ||
      !put(message.get(), Name::Body, body.get()) ||
      !put(message.get(), Name::MoreBody, more ? Py_True : Py_False)) {
    return {};
  }
  return message;
}

}  // namespace celadon::asgi
