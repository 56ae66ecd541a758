// The words of ASGI's messages and scopes, as strings of Python's.
#pragma once

#include <cstdint>
#include <string_view>

#include "py/ref.h"

namespace celadon::asgi {

enum class Name : std::uint8_t {
  Type,
  Body,
  MoreBody,
  Status,
  Headers,
  Trailers,
  MoreTrailers,
  Links,
  Path,
  Subprotocol,
  Subprotocols,
  Bytes,
  Text,
  Code,
  Reason,
  WebsocketConnect,
  WebsocketReceive,
  WebsocketDisconnect,
  Websocket,
  HttpRequest,
  HttpDisconnect,
  Http,
  Asgi,
  HttpVersion,
  Method,
  Scheme,
  RawPath,
  QueryString,
  RootPath,
  Client,
  Server,
  Extensions,
  State,
  Count,
};

// Borrowed; once they are made.
[[nodiscard]] PyObject* name_of(Name name) noexcept;
// False with an exception.
[[nodiscard]] bool make_names() noexcept;

// {"type": "http.disconnect"}. Empty with an exception.
[[nodiscard]] py::Object disconnect_message() noexcept;
// {"type": "websocket.connect"}, "websocket.receive" and "websocket.disconnect".
// Likewise.
[[nodiscard]] py::Object connect_message() noexcept;
[[nodiscard]] py::Object receive_message(PyObject* data, bool is_text) noexcept;
[[nodiscard]] py::Object closed_message(int code, std::string_view reason) noexcept;
// {"type": "http.request", ...}. Likewise.
[[nodiscard]] py::Object request_message(py::Object body, bool more) noexcept;

}  // namespace celadon::asgi
