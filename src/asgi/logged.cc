#include "asgi/logged.h"

#include <algorithm>
#include <string>
#include <string_view>

#include "asgi/names.h"
#include "gateway/bytes.h"
#include "gateway/text.h"
#include "http/chars.h"

namespace celadon::asgi {
namespace {

// Borrowed; null where it is not there.
PyObject* find(PyObject* dict, PyObject* key) noexcept {
  if (!dict || !PyDict_CheckExact(dict)) return nullptr;
  PyObject* found = PyDict_GetItemWithError(dict, key);
  if (!found) PyErr_Clear();
  return found;
}

// False where it is nothing that has a text of its own.
bool show(PyObject* value, std::string& text) {
  if (!value || value == Py_None) return false;
  if (PyBytes_CheckExact(value)) {
    text = gateway::view_bytes(value);
    return true;
  }
  if (!PyUnicode_CheckExact(value) && !PyLong_CheckExact(value) &&
      !PyFloat_CheckExact(value) && !PyBool_Check(value))
    return false;
  const py::Object shown(PyObject_Str(value));
  Py_ssize_t size = 0;
  const char* data = shown ? PyUnicode_AsUTF8AndSize(shown.get(), &size) : nullptr;
  if (data) text.assign(data, static_cast<std::size_t>(size));
  PyErr_Clear();
  return data != nullptr;
}

// `X_A` is the field X-A.
bool names(std::string_view key, std::string_view field) noexcept {
  return std::ranges::equal(key, field, [](char a, char b) {
    return http::to_lower(a) == (b == '-' ? '_' : http::to_lower(b));
  });
}

bool find_field(const http::Request& r, std::string_view key, std::string& text) {
  for (const http::Field& field : r.fields) {
    if (!names(key, r.name(field))) continue;
    text = r.value(field);
    return true;
  }
  return false;
}

// As PEP 3333 and CGI call it.
bool find_by_cgi(const server::Exchange& x, PyObject* scope, std::string_view key,
                 std::string& text) {
  const http::Request& r = x.request();
  if (key.starts_with("HTTP_")) return find_field(r, key.substr(5), text);
  if (key == "REQUEST_METHOD") text = x.method();
  if (key == "QUERY_STRING") text = r.text(r.query);
  if (key == "RAW_URI" || key == "REQUEST_URI") text = r.text(r.target);
  if (key == "SERVER_PROTOCOL") text = http::protocol_text(x.carrier.version);
  if (!text.empty()) return true;
  if (key == "PATH_INFO") return show(find(scope, name_of(Name::Path)), text);
  if (key == "SCRIPT_NAME") return show(find(scope, name_of(Name::RootPath)), text);
  if (key == "wsgi.url_scheme") return show(find(scope, name_of(Name::Scheme)), text);
  PyObject* client =
      key == "REMOTE_ADDR" ? find(scope, name_of(Name::Client)) : nullptr;
  return client && PyTuple_CheckExact(client) && PyTuple_GET_SIZE(client) > 0 &&
         show(PyTuple_GET_ITEM(client, 0), text);
}

}  // namespace

void log_scope(server::Exchange& exchange, const gateway::Options& options,
               PyObject* scope) noexcept {
  for (const std::string& name : options.logged_environ) {
    const py::Object key = gateway::to_str(name);
    if (!key) return PyErr_Clear();
    std::string text;
    PyObject* state = find(scope, name_of(Name::State));
    if (show(find(state, key.get()), text) || show(find(scope, key.get()), text) ||
        find_by_cgi(exchange, scope, name, text))
      exchange.log_environ(name, text);
  }
}

}  // namespace celadon::asgi
