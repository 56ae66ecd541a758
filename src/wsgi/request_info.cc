#include "wsgi/request_info.h"

#include "green/hub.h"
#include "py/type.h"
#include "wsgi/request.h"
#include "wsgi/text.h"

namespace celadon::wsgi {
namespace {

PyTypeObject* info_type = nullptr;

RequestInfoObject& self_of(PyObject* self) noexcept {
  return *reinterpret_cast<RequestInfoObject*>(self);
}

const server::Identity* identity_of(PyObject* self) noexcept {
  const RequestInfoObject& info = self_of(self);
  return info.request ? &info.request->exchange().identity() : info.identity;
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

void info_dealloc(PyObject* self) noexcept {
  delete self_of(self).identity;
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
    {nullptr, nullptr, nullptr, nullptr, nullptr}};
PyType_Slot slots[] = {{Py_tp_dealloc, py::as_slot(info_dealloc)},
                       {Py_tp_repr, py::as_slot(info_repr)},
                       {Py_tp_getset, fields},
                       {0, nullptr}};
PyType_Spec spec{"celadon._core.RequestInfo", sizeof(RequestInfoObject), 0,
                 Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, slots};

}  // namespace

py::Owned<RequestInfoObject> make_request_info() noexcept {
  return py::Owned<RequestInfoObject>(
      reinterpret_cast<RequestInfoObject*>(info_type->tp_alloc(info_type, 0)));
}

void keep_identity(RequestInfoObject& info) noexcept {
  if (!info.request || info.identity) return;
  info.identity = new server::Identity(info.request->exchange().identity());
}

PyObject* current_request_info() noexcept {
  const green::Strand* strand = green::current_strand();
  const auto* request = strand ? dynamic_cast<const Request*>(strand->job()) : nullptr;
  PyObject* info = request ? request->info() : nullptr;
  return info ? py::new_ref(info) : py::none();
}

int add_request_info_type(PyObject* module) noexcept {
  info_type = py::add_type(module, spec);
  return info_type ? 0 : -1;
}

}  // namespace celadon::wsgi
