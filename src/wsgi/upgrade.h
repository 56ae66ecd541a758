// `werkzeug.socket` and `gunicorn.socket`: the socket of a request that asks for
// another protocol, for libraries that speak it themselves (WS12).
#pragma once

#include "gateway/request_info.h"
#include "py/ref.h"
#include "server/exchange.h"

namespace celadon::wsgi {

class Request;

class Sockets {
 public:
  // `make(info)` makes what an environ holds; it takes the socket with its first use.
  [[nodiscard]] bool prepare(PyObject* make) noexcept;
  // Adds them where the request asks for another protocol. False with an exception.
  [[nodiscard]] bool add(PyObject* environ, const server::Exchange& x,
                         gateway::RequestInfoObject& info) noexcept;

 private:
  py::Object make_;
  py::Object werkzeug_;
  py::Object gunicorn_;
};

}  // namespace celadon::wsgi
