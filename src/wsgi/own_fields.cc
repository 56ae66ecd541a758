#include "wsgi/own_fields.h"

#include "gateway/text.h"
#include "http/field_rules.h"
#include "py/brief.h"
#include "wsgi/bridge.h"

namespace celadon::wsgi {
namespace {

bool fail(PyObject* type, const char* format, PyObject* what) noexcept {
  py::raise_about(type, format, what);
  return false;
}

}  // namespace

bool check_field(PyObject* item, http::HeaderView& view, http::HeaderId& id) noexcept {
  if (!PyTuple_Check(item) || PyTuple_GET_SIZE(item) != 2) {
    return fail(PyExc_TypeError, "a header must be a (name, value) tuple, not %U",
                item);
  }
  PyObject* name = PyTuple_GET_ITEM(item, 0);
  PyObject* value = PyTuple_GET_ITEM(item, 1);
  if (!PyUnicode_Check(name) || !PyUnicode_Check(value)) {
    return fail(PyExc_TypeError, "header name and value must be str: %U", item);
  }
  const auto known =
      gateway::latin1_view(name, view.name) ? http::field_id(view.name) : std::nullopt;
  if (!known) return fail(PyExc_ValueError, "invalid header name: %U", name);
  id = *known;
  if (!gateway::latin1_view(value, view.value) || !http::is_field_value(view.value)) {
    return fail(PyExc_ValueError, "invalid value of header %U", name);
  }
  // White space around it is not of it (RFC 9110 5.5), and has no place in HTTP/2.
  view.value = http::trim_ows(view.value);
  return true;
}

py::Object fields_of(PyObject* headers) noexcept {
  if (headers == Py_None) return py::Object(PyTuple_New(0));
  return py::Object(PyDict_Check(headers) ? PyDict_Items(headers)
                                          : PySequence_Tuple(headers));
}

http::ResponseHead OwnFields::head() const noexcept {
  http::ResponseHead head;
  head.has_request_id = says_.has_request_id;
  head.headers = views_;
  return head;
}

bool OwnFields::read(PyObject* items, Bridge& bridge) noexcept {
  using enum http::AnswerRules::Verdict;
  http::AnswerRules rules(says_);
  for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(items); ++i) {
    http::HeaderView view;
    http::HeaderId id = http::HeaderId::Other;
    if (!check_field(PySequence_Fast_GET_ITEM(items, i), view, id)) return false;
    switch (rules.take(id, view.value)) {
      case Keep: views_.push_back(view); break;
      case Dropped: bridge.note_dropped_header(view.name); break;
      case Heard:
      case Bad: break;
    }
  }
  return true;
}

}  // namespace celadon::wsgi
