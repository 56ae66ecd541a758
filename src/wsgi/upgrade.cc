#include "wsgi/upgrade.h"

#include "gateway/exceptions.h"
#include "gateway/websocket.h"
#include "ws/handshake.h"
#include "wsgi/bridge.h"
#include "wsgi/request.h"

namespace celadon::wsgi {

bool Sockets::prepare(PyObject* make) noexcept {
  make_ = py::Object::copy(make);
  werkzeug_.reset(PyUnicode_InternFromString("werkzeug.socket"));
  gunicorn_.reset(PyUnicode_InternFromString("gunicorn.socket"));
  return werkzeug_ && gunicorn_;
}

bool Sockets::add(PyObject* environ, const server::Exchange& x,
                  gateway::RequestInfoObject& info) noexcept {
  if (!x.request().asks_to_upgrade() || x.carrier.tls) return true;
  const py::Object socket(
      PyObject_CallOneArg(make_.get(), reinterpret_cast<PyObject*>(&info)));
  return socket && PyDict_SetItem(environ, werkzeug_.get(), socket.get()) == 0 &&
         PyDict_SetItem(environ, gunicorn_.get(), socket.get()) == 0;
}

// --- WebSockets ---

// WS01, WS02: before the application hears of it. What is no handshake is a request
// like any other (CN12).
bool Request::refuses_handshake() noexcept {
  return ws::is_handshake(exchange_->request()) &&
         gateway::refuse_handshake(*exchange_, bridge_.options().websocket,
                                   bridge_.leave());
}

bool Request::offer_sockets(PyObject* environ) noexcept {
  const http::Request& request = exchange_->request();
  if (!request.asks_to_upgrade() || !exchange_->may_switch()) return true;
  if (!bridge_.sockets().add(environ, *exchange_, *kit_.info.get())) return false;
  return !ws::is_handshake(request) || offered_.offer(*this, environ);
}

// --- the socket itself ---

// (descriptor, bytes that were read of it).
PyObject* Request::take_socket() noexcept {
  server::Loan loan;
  server::Sent sent = exchange_->lend(loan);
  while (sent == server::Sent::Full) {
    if (!wait_writable()) return nullptr;
    sent = exchange_->lend(loan);
  }
  if (sent == server::Sent::NoFile) return PyErr_SetFromErrno(PyExc_OSError);
  if (sent == server::Sent::Gone) {
    if (exchange_->gone()) {
      gateway::raise_gone();
    } else {
      PyErr_SetString(PyExc_RuntimeError,
                      "the answer has begun, or this connection ends with it or speaks "
                      "TLS: its socket cannot be taken");
    }
    return nullptr;
  }
  on_switched();
  PyObject* taken = Py_BuildValue("iy#", loan.socket.get(), loan.ahead.data(),
                                  static_cast<Py_ssize_t>(loan.ahead.size()));
  if (!taken) return nullptr;
  [[maybe_unused]] const int given = loan.socket.release();
  return taken;
}

}  // namespace celadon::wsgi
