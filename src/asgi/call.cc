#include "asgi/call.h"

#include <string>
#include <utility>

#include "asgi/request.h"
#include "py/type.h"

namespace celadon::asgi {
namespace {

PyTypeObject* call_type = nullptr;

CallObject& self_of(PyObject* self) noexcept {
  return *reinterpret_cast<CallObject*>(self);
}

PySendResult call_am_send(PyObject* self, PyObject* value, PyObject** result) noexcept {
  if (Request* request = self_of(self).request) return request->step(value, result);
  *result = nullptr;
  PyErr_SetString(PyExc_RuntimeError, "cannot reuse already awaited coroutine");
  return PYGEN_ERROR;
}

// As generators say that they have returned.
PyObject* raise_stop(PyObject* stolen) noexcept {
  const py::Object value(stolen);
  if (value.get() == Py_None) {
    PyErr_SetNone(PyExc_StopIteration);
  } else {
    PyErr_SetObject(PyExc_StopIteration, value.get());
  }
  return nullptr;
}

PyObject* call_send(PyObject* self, PyObject* value) noexcept {
  PyObject* result = nullptr;
  const PySendResult sent = call_am_send(self, value, &result);
  return sent == PYGEN_RETURN ? raise_stop(result) : result;
}

PyObject* call_next(PyObject* self) noexcept {
  return call_send(self, Py_None);
}

PyObject* call_throw(PyObject* self, PyObject* const* thrown,
                     Py_ssize_t count) noexcept {
  if (Request* request = self_of(self).request)
    return request->step_with(thrown, count);
  PyErr_SetString(PyExc_RuntimeError, "cannot reuse already awaited coroutine");
  return nullptr;
}

PyObject* call_close(PyObject* self, PyObject*) noexcept {
  CallObject& call = self_of(self);
  const py::Object coroutine = py::Object::copy(call.coroutine);
  const py::Object closed(
      coroutine ? PyObject_CallMethod(coroutine.get(), "close", nullptr) : py::none());
  if (!closed) return nullptr;  // it runs, or goes on
  if (Request* request = std::exchange(call.request, nullptr)) request->lose_task();
  return py::none();
}

// What it was given to has ended, maybe without it.
PyObject* call_lose_task(PyObject* self, PyObject*) noexcept {
  if (Request* request = std::exchange(self_of(self).request, nullptr))
    request->lose_task();
  return py::none();
}

PyObject* call_itself(PyObject* self) noexcept {
  return py::new_ref(self);
}

// What people ask of a coroutine (cr_frame, __qualname__) is the application's, or as
// long as that is not called the type's.
PyObject* call_getattro(PyObject* self, PyObject* name) noexcept {
  PyObject* own = PyObject_GenericGetAttr(self, name);
  if (own || !PyErr_ExceptionMatches(PyExc_AttributeError)) return own;
  PyErr_Clear();
  PyObject* coroutine = self_of(self).coroutine;
  return PyObject_GetAttr(
      coroutine ? coroutine : reinterpret_cast<PyObject*>(Py_TYPE(self)), name);
}

void call_dealloc(PyObject* self) noexcept {
  CallObject& call = self_of(self);
  PyObject* coroutine = std::exchange(call.coroutine, nullptr);
  py::drop(coroutine);
  py::free_object(self);
}

// (what people call it, its id), for reports; None once it has ended.
PyObject* get_request(PyObject* self, void*) noexcept {
  const Request* request = self_of(self).request;
  if (!request || !request->info()) return py::none();
  const py::Object id(PyObject_GetAttrString(request->info(), "id"));
  const std::string line = request->describe();
  const py::Object text(PyUnicode_DecodeLatin1(
      line.data(), static_cast<Py_ssize_t>(line.size()), nullptr));
  return id && text ? PyTuple_Pack(2, text.get(), id.get()) : nullptr;
}

PyGetSetDef fields[] = {{"_celadon_request", get_request, nullptr,
                         "What people call the request, and its id.", nullptr},
                        {nullptr, nullptr, nullptr, nullptr, nullptr}};
PyMethodDef methods[] = {
    {"send", call_send, METH_O, "As of a coroutine."},
    {"throw", py::as_method(call_throw), METH_FASTCALL, "As of a coroutine."},
    {"close", call_close, METH_NOARGS, "As of a coroutine."},
    {"_lose_task", call_lose_task, METH_O, "That one has ended."},
    {nullptr, nullptr, 0, nullptr}};
PyType_Slot slots[] = {{Py_tp_dealloc, py::as_slot(call_dealloc)},
                       {Py_tp_methods, methods},
                       {Py_tp_getset, fields},
                       {Py_tp_getattro, py::as_slot(call_getattro)},
                       {Py_tp_iter, py::as_slot(call_itself)},
                       {Py_tp_iternext, py::as_slot(call_next)},
                       {Py_am_await, py::as_slot(call_itself)},
                       {Py_am_send, py::as_slot(call_am_send)},
                       {0, nullptr}};
PyType_Spec spec{"celadon._core.Call", sizeof(CallObject), 0,
                 Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, slots};

}  // namespace

py::Owned<CallObject> make_call(Request& request) noexcept {
  auto* self = reinterpret_cast<CallObject*>(call_type->tp_alloc(call_type, 0));
  if (self) self->request = &request;
  return py::Owned<CallObject>(self);
}

int add_call_type(PyObject* module) noexcept {
  call_type = py::add_type(module, spec);
  return call_type ? 0 : -1;
}

}  // namespace celadon::asgi
