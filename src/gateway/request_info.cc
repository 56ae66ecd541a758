#include "gateway/request_info.h"

#include <algorithm>
#include <string>

#include "gateway/text.h"
#include "green/hub.h"
#include "green/remote_call.h"
#include "py/type.h"

namespace celadon::gateway {
namespace {

PyTypeObject* info_type = nullptr;

RequestInfoObject& self_of(PyObject* self) noexcept {
  return *reinterpret_cast<RequestInfoObject*>(self);
}

const server::Identity* identity_of(PyObject* self) noexcept {
  const RequestInfoObject& info = self_of(self);
  return info.request ? &info.request->exchange().identity()
         : info.kept  ? &info.identity
                      : nullptr;
}

PyObject* get_id(PyObject* self, void*) noexcept {
  const server::Identity* identity = identity_of(self);
  return to_str(identity ? identity->request_id() : "").release();
}
PyObject* get_trace_id(PyObject* self, void*) noexcept {
  const server::Identity* identity = identity_of(self);
  return to_str(identity ? identity->trace_id() : "").release();
}
PyObject* get_span_id(PyObject* self, void*) noexcept {
  const server::Identity* identity = identity_of(self);
  return to_str(identity ? identity->span_id() : "").release();
}
PyObject* get_traceparent(PyObject* self, void*) noexcept {
  const server::Identity* identity = identity_of(self);
  return to_str(identity ? identity->traceparent() : "").release();
}

PyObject* get_route(PyObject* self, void*) noexcept {
  const RequestInfoObject& info = self_of(self);
  const std::string_view route =
      info.request ? info.request->exchange().route() : std::string_view();
  return PyUnicode_DecodeUTF8(route.data(), static_cast<Py_ssize_t>(route.size()),
                              "ignore");  // of a character that was cut
}

int set_route(PyObject* self, PyObject* value, void*) noexcept {
  const RequestInfoObject& info = self_of(self);
  Py_ssize_t size = 0;
  const char* text = value ? PyUnicode_AsUTF8AndSize(value, &size) : nullptr;
  if (!text) {
    if (!PyErr_Occurred()) PyErr_SetString(PyExc_TypeError, "a route is a str");
    return -1;
  }
  constexpr Py_ssize_t kLongest = 128;
  if (info.request) {
    std::string route(info.request->mount());
    route.append(text, static_cast<std::size_t>(std::min(size, kLongest)));
    info.request->exchange().set_route(route);
  }
  return 0;
}

PyObject* get_status(PyObject* self, void*) noexcept {
  const RequestInfoObject& info = self_of(self);
  return PyLong_FromLong(info.request ? info.request->exchange().status()
                                      : info.status);
}

// Seconds by kind, until now. Empty once the request has ended.
PyObject* get_timings(PyObject* self, void*) noexcept {
  py::Object found(PyDict_New());
  const RequestInfoObject& info = self_of(self);
  if (!found || !info.request || !info.request->exchange().account)
    return found.release();
  const server::Exchange& x = info.request->exchange();
  const Nanos now = green::monotonic_now();
  const auto put = [&found](std::string_view name, Nanos nanos) noexcept {
    const py::Object key = to_str(name);
    const py::Object value(PyFloat_FromDouble(static_cast<double>(nanos) / kSecond));
    return key && value && PyDict_SetItem(found.get(), key.get(), value.get()) == 0;
  };
  if (!put("queued", std::max<Nanos>(x.started_at - x.received_at, 0))) return nullptr;
  for (std::size_t i = 0; i < kSpentKinds; ++i) {
    const auto kind = static_cast<Spent>(i);
    if (!put(name_of(kind), x.account->spent(kind, now))) return nullptr;
  }
  return found.release();
}

PyObject* take_socket(PyObject* self, PyObject*) noexcept {
  const RequestInfoObject& info = self_of(self);
  const auto take = [&info]() noexcept -> PyObject* {
    if (info.request) return info.request->take_socket();
    PyErr_SetString(PyExc_RuntimeError,
                    "the socket of a request was asked for after its end");
    return nullptr;
  };
  if (!info.request) return take();
  return green::in_thread_of(info.request->hub(), take);
}

void info_dealloc(PyObject* self) noexcept {
  py::free_object(self);
}

PyObject* info_repr(PyObject* self) noexcept {
  const server::Identity* identity = identity_of(self);
  const py::Object id = to_str(identity ? identity->request_id() : "");
  return id ? PyUnicode_FromFormat("<request %U>", id.get()) : nullptr;
}

PyGetSetDef fields[] = {
    {"id", get_id, nullptr, "As it is answered in X-Request-ID.", nullptr},
    {"trace_id", get_trace_id, nullptr, "Of W3C Trace Context: 32 hex digits.",
     nullptr},
    {"span_id", get_span_id, nullptr, "Likewise, of this request: 16.", nullptr},
    {"traceparent", get_traceparent, nullptr,
     "The header for requests to other services.", nullptr},
    {"route", get_route, set_route,
     "What such requests are called, such as /users/<id>, in metrics and logs: set by "
     "the framework, or by you, and read with the prefix of a mount. Empty: unknown.",
     nullptr},
    {"status", get_status, nullptr,
     "Of the answer, as the access log has it. 0: none has begun.", nullptr},
    {"timings", get_timings, nullptr,
     "Where its time went until now: seconds queued, running, ready, and waiting by "
     "kind (socket, db, lock, sleep, dns, thread, client).",
     nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr}};
PyMethodDef methods[] = {
    {"take_socket", take_socket, METH_NOARGS,
     "take_socket() -> (descriptor, bytes)\n\nThe socket of the connection and what "
     "was "
     "read of it ahead; the server says nothing more on it and closes it after the "
     "application has returned. For requests that ask for another protocol."},
    {nullptr, nullptr, 0, nullptr}};
PyType_Slot slots[] = {{Py_tp_dealloc, py::as_slot(info_dealloc)},
                       {Py_tp_repr, py::as_slot(info_repr)},
                       {Py_tp_getset, fields},
                       {Py_tp_methods, methods},
                       {0, nullptr}};
PyType_Spec spec{"celadon._core.RequestInfo", sizeof(RequestInfoObject), 0,
                 Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, slots};

}  // namespace

py::Owned<RequestInfoObject> make_request_info() noexcept {
  return py::Owned<RequestInfoObject>(
      reinterpret_cast<RequestInfoObject*>(info_type->tp_alloc(info_type, 0)));
}

void attach(RequestInfoObject& info, Served& request) noexcept {
  info.request = &request;
  info.kept = false;
}

void let_go_of(RequestInfoObject& info, bool is_held) noexcept {
  if (!info.request) return;
  if (is_held) {
    server::Exchange& exchange = info.request->exchange();
    info.status = exchange.status();
    info.identity = exchange.identity();
    info.kept = true;
  }
  info.request = nullptr;
}

PyObject* current_request_info() noexcept {
  const green::Strand* strand = green::current_strand();
  const auto* request = strand ? dynamic_cast<const Served*>(strand->work()) : nullptr;
  PyObject* info = request ? request->info() : nullptr;
  return info ? py::new_ref(info) : py::none();
}

int add_request_info_type(PyObject* module) noexcept {
  info_type = py::add_type(module, spec);
  return info_type ? 0 : -1;
}

}  // namespace celadon::gateway
