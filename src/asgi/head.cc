#include "asgi/head.h"

#include <utility>

#include "base/memory.h"
#include "gateway/bridge.h"
#include "gateway/bytes.h"
#include "green/hub.h"
#include "http/chars.h"
#include "http/field_rules.h"
#include "py/brief.h"

namespace celadon::asgi {
namespace {

bool fail(PyObject* type, const char* format, PyObject* what) noexcept {
  py::raise_about(type, format, what);
  return false;
}

struct Pair {
  PyObject* name = nullptr;  // borrowed
  PyObject* value = nullptr;
};

bool split(PyObject* item, Pair& pair) noexcept {
  const bool is_pair = (PyTuple_Check(item) || PyList_Check(item)) &&
                       PySequence_Fast_GET_SIZE(item) == 2;
  if (!is_pair) {
    return fail(PyExc_TypeError, "a header must be a [name, value] pair, not %U", item);
  }
  pair = {PySequence_Fast_GET_ITEM(item, 0), PySequence_Fast_GET_ITEM(item, 1)};
  if (PyBytes_Check(pair.name) && PyBytes_Check(pair.value)) return true;
  return fail(PyExc_TypeError, "header name and value must be bytes: %U", item);
}

// To drop it runs no code of others.
bool is_plain(PyObject* kept) noexcept {
  if (!PyTuple_CheckExact(kept)) return PyBytes_CheckExact(kept);
  return PyBytes_CheckExact(PyTuple_GET_ITEM(kept, 0)) &&
         PyBytes_CheckExact(PyTuple_GET_ITEM(kept, 1));
}

bool names_trailers(const http::HeaderView& field) noexcept {
  return http::header_id(field.name) == http::HeaderId::Trailer;
}

bool check(const Pair& pair, http::HeaderView& view, http::HeaderId& id) noexcept {
  view.name = gateway::view_bytes(pair.name);
  const auto known = http::field_id(view.name);
  if (!known) return fail(PyExc_ValueError, "invalid header name: %U", pair.name);
  id = *known;
  const std::string_view value = gateway::view_bytes(pair.value);
  if (!http::is_field_value(value)) {
    return fail(PyExc_ValueError, "invalid value of header %U", pair.name);
  }
  // White space around it is not of it (RFC 9110 5.5), and has no place in HTTP/2.
  view.value = http::trim_ows(value);
  return true;
}

}  // namespace

bool Head::set_status(PyObject* status) noexcept {
  if (!PyLong_Check(status) || PyBool_Check(status)) {
    return fail(PyExc_TypeError, "status must be an int, not %U", status);
  }
  int overflow = 0;
  const long number = PyLong_AsLongAndOverflow(status, &overflow);
  if (overflow != 0 || number < 200 || number > 999) {
    return fail(PyExc_ValueError, "status must be from 200 to 999: %U", status);
  }
  status_ = static_cast<int>(number);
  return true;
}

bool Head::add(PyObject* item, http::AnswerRules& rules,
               gateway::Bridge& bridge) noexcept {
  http::HeaderView view;
  http::HeaderId id = http::HeaderId::Other;
  Pair pair;
  gateway::ConstantFields& constants = bridge.constant_fields();
  const auto* known = PyTuple_CheckExact(item) ? constants.find(item) : nullptr;
  if (known) {
    view = known->view;
    id = known->id;
  } else {
    if (!split(item, pair) || !check(pair, view, id)) return false;
    constants.note(item, view, id);
  }
  using enum http::AnswerRules::Verdict;
  switch (rules.take(id, view.value)) {
    case Keep:
      fields_.push_back(view);
      if (known || PyTuple_CheckExact(item)) {
        keep(item);
      } else {  // a list may change before its fields leave
        keep(pair.name);
        keep(pair.value);
      }
      return true;
    case Heard: return true;
    case Dropped: bridge.note_dropped_header(view.name); return true;
    case Bad: break;
  }
  return fail(PyExc_ValueError, "malformed or repeated Content-Length: %U", item);
}

py::Object items_of(PyObject* headers) noexcept {
  if (PyUnicode_Check(headers) || PyBytes_Check(headers) || PyDict_Check(headers)) {
    fail(PyExc_TypeError, "headers must be an iterable of [name, value] pairs, not %U",
         headers);
    return {};
  }
  return py::Object(
      PySequence_Fast(headers, "headers must be an iterable of [name, value] pairs"));
}

bool Head::set_fields(PyObject* headers, gateway::Bridge& bridge) noexcept {
  const py::Object items = items_of(headers);
  return items && set_items(items.get(), bridge, false);
}

bool Head::set_items(PyObject* items, gateway::Bridge& bridge,
                     bool has_trailers) noexcept {
  http::AnswerRules rules(says_, has_trailers);
  // By index and size anew each time: a list may change under us.
  for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(items); ++i) {
    const py::Object item = py::Object::copy(PySequence_Fast_GET_ITEM(items, i));
    if (!add(item.get(), rules, bridge)) return false;
  }
  if (has_trailers && (says_.content_length || http::is_bodyless(status_)))
    std::erase_if(fields_, names_trailers);
  if (rules.agree()) return true;
  PyErr_SetString(PyExc_ValueError,
                  "Content-Length together with Transfer-Encoding in a response");
  return false;
}

bool Head::add_trailers(PyObject* items) noexcept {
  std::vector<http::HeaderView> views;
  std::vector<Pair> pairs;
  for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(items); ++i) {
    http::HeaderView view;
    http::HeaderId id = http::HeaderId::Other;
    Pair pair;
    PyObject* item = PySequence_Fast_GET_ITEM(items, i);
    if (!split(item, pair) || !check(pair, view, id)) return false;
    if (http::has_trait(id, http::Trait::Framing, http::Trait::OfHop))
      return fail(PyExc_ValueError, "no field of a trailer: %U", item);
    views.push_back(view);
    pairs.push_back(pair);
  }
  fields_.insert(fields_.end(), views.begin(), views.end());
  for (const Pair& pair : pairs) {
    keep(pair.name);
    keep(pair.value);
  }
  return true;
}

bool Head::set_links(PyObject* links) noexcept {
  const py::Object items(PySequence_Fast(links, "links must be an iterable of bytes"));
  if (!items) return false;
  for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(items.get()); ++i) {
    PyObject* link = PySequence_Fast_GET_ITEM(items.get(), i);
    if (!PyBytes_Check(link)) {
      return fail(PyExc_TypeError, "a link must be bytes, not %U", link);
    }
    const std::string_view value = gateway::view_bytes(link);
    if (!http::is_field_value(value)) {
      return fail(PyExc_ValueError, "invalid link: %U", link);
    }
    fields_.push_back({"Link", http::trim_ows(value)});
    keep(link);
  }
  return true;
}

void Head::clear_in(green::Hub& hub) noexcept {
  for (PyObject*& object : kept_) {
    if (!is_plain(object)) hub.bury(std::exchange(object, nullptr));
  }
  clear();
}

void Head::clear() noexcept {
  constexpr std::size_t kKept = 64;
  for (PyObject* object : kept_) py::drop(object);
  kept_.clear();
  fields_.clear();
  if (kept_.capacity() > kKept) give_back(kept_);
  if (fields_.capacity() > kKept) give_back(fields_);
  says_ = {};
  status_ = 0;
}

http::ResponseHead Head::view() const noexcept {
  http::ResponseHead head;
  static_cast<http::AnswerFields&>(head) = says_;
  head.status = status_;
  head.reason = http::reason_phrase(status_);
  head.headers = fields_;
  return head;
}

}  // namespace celadon::asgi
