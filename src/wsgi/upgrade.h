// `werkzeug.socket` and `gunicorn.socket`: the socket of a request that asks for
// another protocol, for libraries that speak it themselves (WS12).
#pragma once

#include "py/ref.h"
#include "server/exchange.h"
#include "wsgi/request_info.h"

namespace celadon::wsgi {

class Request;

class Sockets {
 public:
  // `make(info)` makes what an environ holds; it takes the socket with its first use.
  [[nodiscard]] bool prepare(PyObject* make) noexcept;
  // Adds them where the request asks for another protocol. False with an exception.
  [[nodiscard]] bool add(PyObject* environ, const server::Exchange& x,
                         RequestInfoObject& info) noexcept;

 private:
  py::Object make_;
  py::Object werkzeug_;
  py::Object gunicorn_;
};

// RequestInfo.take_socket().
[[nodiscard]] PyObject* take_socket(PyObject* info, PyObject* unused) noexcept;

}  // namespace celadon::wsgi
