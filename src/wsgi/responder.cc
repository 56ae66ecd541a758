#include "wsgi/responder.h"

#include <new>

#include "base/memory.h"
#include "gateway/text.h"
#include "green/remote_call.h"
#include "http/chars.h"
#include "http/field_rules.h"
#include "py/brief.h"
#include "py/error.h"
#include "py/type.h"
#include "wsgi/bridge.h"
#include "wsgi/own_fields.h"
#include "wsgi/request.h"

namespace celadon::wsgi {
namespace {

PyTypeObject* responder_type = nullptr;

ResponderObject& self_of(PyObject* self) noexcept {
  return *reinterpret_cast<ResponderObject*>(self);
}

bool fail(PyObject* type, const char* format, PyObject* what) noexcept {
  py::raise_about(type, format, what);
  return false;
}

// "200 OK": three digits, a space, a reason that may be empty; no control byte.
bool check_status(PyObject* status, HeadState& head) noexcept {
  if (status == head.status_text.get()) {  // the last answer's
    head.status = head.status_of_text;
    return true;
  }
  head.status_text.reset();
  if (!PyUnicode_Check(status)) {
    return fail(PyExc_TypeError, "status must be a str, not %U", status);
  }
  std::string_view text;
  if (!gateway::latin1_view(status, text)) {
    return fail(PyExc_ValueError, "status is not latin-1: %U", status);
  }
  const bool shape = text.size() >= 4 && http::is_digit(text[0]) &&
                     http::is_digit(text[1]) && http::is_digit(text[2]) &&
                     text[3] == ' ';
  if (!shape || !http::is_field_value(text)) {
    return fail(PyExc_ValueError,
                "status must be three digits, a space and a reason: %U", status);
  }
  head.status = (text[0] - '0') * 100 + (text[1] - '0') * 10 + (text[2] - '0');
  if (head.status < 200) {
    return fail(PyExc_ValueError, "an interim status cannot be the answer: %U", status);
  }
  head.status_text = py::Object::copy(status);
  head.status_of_text = head.status;
  head.reason = text.substr(4);
  return true;
}

// Without a second look at what is constant.
bool known_field(PyObject* item, gateway::ConstantFields& constants,
                 http::HeaderView& view, http::HeaderId& id) noexcept {
  if (const auto* known = constants.find(item)) {
    view = known->view;
    id = known->id;
    return true;
  }
  if (!check_field(item, view, id)) return false;
  constants.note(item, view, id);
  return true;
}

bool check_headers(PyObject* headers, HeadState& head, Bridge& bridge) noexcept {
  if (!PyList_Check(headers)) {
    return fail(PyExc_TypeError, "headers must be a list, not %U", headers);
  }
  using enum http::AnswerRules::Verdict;
  http::AnswerRules rules(head.says);
  // By index and size anew each time: a subclass may change under us.
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(headers); ++i) {
    PyObject* item = PyList_GET_ITEM(headers, i);
    http::HeaderView view;
    http::HeaderId id = http::HeaderId::Other;
    if (!known_field(item, bridge.constant_fields(), view, id)) return false;
    switch (rules.take(id, view.value)) {
      case Keep:
        head.fields.push_back(view);
        head.items.push_back(py::new_ref(item));
        break;
      case Heard: break;
      case Dropped: bridge.note_dropped_header(view.name); break;
      case Bad:
        return fail(PyExc_ValueError, "malformed or repeated Content-Length: %U", item);
    }
  }
  if (rules.agree()) return true;
  PyErr_SetString(PyExc_ValueError,
                  "Content-Length together with Transfer-Encoding in a response");
  return false;
}

// The second call: only with exc_info, and only while nothing is out.
bool allow_again(ResponderObject& self, PyObject* exc_info) noexcept {
  if (!exc_info || exc_info == Py_None) {
    if (!self.started) return true;
    PyErr_SetString(PyExc_AssertionError,
                    "start_response() called twice without exc_info");
    return false;
  }
  if (!PyTuple_Check(exc_info) || PyTuple_GET_SIZE(exc_info) != 3) {
    return fail(PyExc_TypeError, "exc_info must be a 3-tuple, not %U", exc_info);
  }
  if (!self.request->exchange().head_sent()) return true;
  PyObject* type = PyTuple_GET_ITEM(exc_info, 0);
  PyObject* value = PyTuple_GET_ITEM(exc_info, 1);
  PyObject* trace = PyTuple_GET_ITEM(exc_info, 2);
  if (!PyExceptionClass_Check(type)) {
    return fail(PyExc_TypeError, "exc_info must hold an exception, not %U", type);
  }
  if (!PyExceptionInstance_Check(value)) {
    PyErr_SetObject(type, value == Py_None ? nullptr : value);
    return false;
  }
  if (PyTraceBack_Check(trace)) PyException_SetTraceback(value, trace);
  py::restore_error(py::Object::copy(value));
  return false;
}

bool check_alive(const ResponderObject& self, const char* what) noexcept {
  if (self.request) return true;
  PyErr_Format(PyExc_RuntimeError, "%s() called after its request had ended", what);
  return false;
}

// An answer belongs to the loop's thread: others have it sent there, and wait.
PyObject* at_home(PyObject* self, PyObject* argument,
                  PyObject* (*call)(PyObject*, PyObject*) noexcept) noexcept {
  Request* request = self_of(self).request;
  if (!request) return call(self, argument);
  return green::in_thread_of(request->bridge().hub(),
                             [=] { return call(self, argument); });
}

PyObject* write_here(PyObject* self, PyObject* data) noexcept {
  const ResponderObject& responder = self_of(self);
  if (!check_alive(responder, "write")) return nullptr;
  if (!PyBytes_Check(data)) {
    fail(PyExc_TypeError, "write() takes bytes, not %U", data);
    return nullptr;
  }
  Request& request = *responder.request;
  if (PyBytes_GET_SIZE(data) == 0) return request.share_time() ? py::none() : nullptr;
  // Its caller goes on computing, for as long as it likes (PEP 3333).
  if (!request.send(data, net::Leave::Now) || !request.share_time()) return nullptr;
  return py::none();
}
PyObject* write_body(PyObject* self, PyObject* data) noexcept {
  return at_home(self, data, write_here);
}
PyMethodDef write_def{"write", write_body, METH_O,
                      "write(data)\n\nSend bytes; returns once they are on their way."};

PyObject* start_response(PyObject* callable, PyObject* const* args, std::size_t nargsf,
                         PyObject* names) noexcept {
  ResponderObject& self = self_of(callable);
  const Py_ssize_t count = PyVectorcall_NARGS(nargsf);
  PyObject* exc_info = count > 2 ? args[2] : nullptr;
  const Py_ssize_t keywords = names ? PyTuple_GET_SIZE(names) : 0;
  const bool keyword_ok =
      keywords == 0 ||
      (keywords == 1 && count == 2 &&
       PyUnicode_CompareWithASCIIString(PyTuple_GET_ITEM(names, 0), "exc_info") == 0);
  if (count < 2 || count > 3 || !keyword_ok) {
    PyErr_SetString(PyExc_TypeError, "start_response(status, headers, exc_info=None)");
    return nullptr;
  }
  if (keywords == 1) exc_info = args[2];
  if (!check_alive(self, "start_response") || !allow_again(self, exc_info))
    return nullptr;
  self.head.clear();
  self.started = false;
  if (!check_status(args[0], self.head) ||
      !check_headers(args[1], self.head, self.request->bridge())) {
    return nullptr;
  }
  self.started = true;
  return self.write ? py::new_ref(self.write) : PyCFunction_New(&write_def, callable);
}

// --- wsgi.early_hints (EN13) ---

PyObject* hint_here(PyObject* self, PyObject* headers) noexcept {
  ResponderObject& responder = self_of(self);
  if (!responder.request || responder.request->exchange().head_sent())
    return py::none();
  const py::Object items(PySequence_Fast(headers, "early hints take a list of tuples"));
  OwnFields fields;
  if (!items || !fields.read(items.get(), responder.request->bridge())) return nullptr;
  responder.request->exchange().send_interim(103, fields.views());
  return responder.request->share_time() ? py::none() : nullptr;
}
PyObject* early_hints(PyObject* self, PyObject* headers) noexcept {
  return at_home(self, headers, hint_here);
}
PyMethodDef early_hints_def{"early_hints", early_hints, METH_O,
                            "early_hints(headers)\n\nSend a 103 response at once."};

void responder_dealloc(PyObject* self) noexcept {
  self_of(self).head.~HeadState();
  py::free_object(self);
}

PyMemberDef members[] = {{"__vectorcalloffset__", T_PYSSIZET,
                          offsetof(ResponderObject, call), READONLY, nullptr},
                         {nullptr, 0, 0, 0, nullptr}};
PyType_Slot slots[] = {{Py_tp_dealloc, py::as_slot(responder_dealloc)},
                       {Py_tp_call, py::as_slot(PyVectorcall_Call)},
                       {Py_tp_members, members},
                       {0, nullptr}};
PyType_Spec spec{
    "celadon._core.StartResponse", sizeof(ResponderObject), 0,
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_VECTORCALL | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    slots};

}  // namespace

void HeadState::clear() noexcept {
  for (PyObject* item : items) py::drop(item);
  items.clear();
  fields.clear();
  says = {};
  status = 0;
}

void HeadState::trim() noexcept {
  constexpr std::size_t kFieldsKept = 64;
  constexpr std::size_t kLongest = 64;
  clear();
  if (fields.capacity() > kFieldsKept) give_back(fields);
  if (items.capacity() > kFieldsKept) give_back(items);
  if (!status_text) return;
  if (PyUnicode_CheckExact(status_text.get()) && reason.size() <= kLongest) return;
  status_text.reset();
  reason = {};
}

bool Kit::make() noexcept {
  input = make_input();
  info = gateway::make_request_info();
  auto* self =
      reinterpret_cast<ResponderObject*>(responder_type->tp_alloc(responder_type, 0));
  if (!input || !info || !self) {
    *this = Kit{};
    return false;
  }
  self->call = start_response;
  ::new (&self->head) HeadState();
  responder = py::Owned<ResponderObject>(self);
  auto* object = reinterpret_cast<PyObject*>(self);
  early_hints.reset(PyCFunction_New(&early_hints_def, object));
  write.reset(PyCFunction_New(&write_def, object));
  self->write = write.get();
  if (!early_hints || !write) *this = Kit{};
  return static_cast<bool>(responder);
}

void Kit::attach(Request& request) noexcept {
  input->request = &request;
  gateway::attach(*info.get(), request);
  responder->request = &request;
  responder->started = false;
}

bool Kit::detach() noexcept {
  detach_input(*input.get());
  responder->head.trim();
  const auto held = [](auto* object, unsigned by_templates) {
    return Py_REFCNT(reinterpret_cast<PyObject*>(object)) == 1 + by_templates;
  };
  // The responder is held by us and by its two functions.
  constexpr Py_ssize_t kOwn = 3;
  const bool alone = held(info.get(), responder->lent);
  gateway::let_go_of(*info.get(), !alone);
  responder->request = nullptr;
  return alone && held(input.get(), responder->lent) &&
         held(early_hints.get(), responder->lent) && held(write.get(), 0) &&
         Py_REFCNT(reinterpret_cast<PyObject*>(responder.get())) == kOwn;
}

http::ResponseHead view_head(const HeadState& state) noexcept {
  http::ResponseHead head;
  static_cast<http::AnswerFields&>(head) = state.says;
  head.status = state.status;
  head.reason = state.reason;
  head.headers = state.fields;
  return head;
}

void Kit::drop() noexcept {
  // Someone keeps the function; what it returns goes with the kit.
  responder->write = nullptr;
  *this = Kit{};
}

int add_responder_type(PyObject* module) noexcept {
  responder_type = py::add_type(module, spec);
  return responder_type ? 0 : -1;
}

}  // namespace celadon::wsgi
