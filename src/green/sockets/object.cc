#include "green/sockets/object.h"

#include <unordered_map>

#include "py/error.h"

namespace celadon::green::sockets {
namespace {

// The head of CPython's PySocketSockObject, the same since 3.7.
struct NativeSocket {
  PyObject_HEAD int fd;
  int family;
  int type;
  int protocol;
  void* error_handler;
  Nanos timeout;
};

PyTypeObject* native_type = nullptr;
bool known = false;

struct Held {
  int depth;
  Nanos timeout;
};
// Sockets in a bracket, guarded by the GIL.
std::unordered_map<PyObject*, Held>& held() noexcept {
  static std::unordered_map<PyObject*, Held> sockets;
  return sockets;
}

NativeSocket& fields_of(PyObject* socket) noexcept {
  return *reinterpret_cast<NativeSocket*>(socket);
}
bool has_fields(PyObject* socket) noexcept {
  return known && PyObject_TypeCheck(socket, native_type);
}

bool timeout_from_method(PyObject* socket, Nanos& out) noexcept {
  const py::Object value(PyObject_CallMethod(socket, "gettimeout", nullptr));
  if (!value) return false;
  if (value.get() == Py_None) {
    out = -1;
    return true;
  }
  const double seconds = PyFloat_AsDouble(value.get());
  if (seconds == -1.0 && PyErr_Occurred()) return false;
  out = static_cast<Nanos>(seconds * 1e9);
  return true;
}

bool int_from_method(PyObject* socket, const char* name, int& out) noexcept {
  const py::Object value(PyObject_CallMethod(socket, name, nullptr));
  if (!value) return false;
  out = static_cast<int>(PyLong_AsLong(value.get()));
  return out != -1 || !PyErr_Occurred();
}

void store_timeout(PyObject* socket, Nanos timeout) noexcept {
  if (has_fields(socket)) {
    fields_of(socket).timeout = timeout < 0 ? -kSecond : timeout;
    return;
  }
  // A closed socket refuses, and needs no timeout any more.
  const py::Object value(timeout < 0 ? py::none()
                                     : PyFloat_FromDouble(double(timeout) / 1e9));
  const py::Object done(
      value ? PyObject_CallMethod(reinterpret_cast<PyObject*>(native_type),
                                  "settimeout", "OO", socket, value.get())
            : nullptr);
  if (!done) PyErr_Clear();
}

// Whether the fields of `socket` show what its methods say, with this timeout set.
bool agrees(PyObject* socket, PyObject* timeout) noexcept {
  const py::Object done(PyObject_CallMethod(socket, "settimeout", "O", timeout));
  int fd = -1;
  Nanos expected = 0;
  if (!done || !int_from_method(socket, "fileno", fd) ||
      !timeout_from_method(socket, expected)) {
    PyErr_Clear();
    return false;
  }
  const NativeSocket& fields = fields_of(socket);
  return fields.fd == fd && fields.timeout == (expected < 0 ? -kSecond : expected);
}

}  // namespace

int learn_layout(PyObject* native_class) noexcept {
  native_type = reinterpret_cast<PyTypeObject*>(py::new_ref(native_class));
  const py::Object probe(PyObject_CallNoArgs(native_class));
  const py::Object some(PyFloat_FromDouble(1.5));
  const py::Object zero(PyLong_FromLong(0));
  if (!probe || !some || !zero) return -1;
  known = native_type->tp_basicsize >= static_cast<Py_ssize_t>(sizeof(NativeSocket)) &&
          agrees(probe.get(), some.get()) && agrees(probe.get(), zero.get()) &&
          agrees(probe.get(), Py_None);
  // And the other way round: what is stored must be what the methods see.
  if (known) {
    Nanos seen = 0;
    store_timeout(probe.get(), 2 * kSecond);
    known = timeout_from_method(probe.get(), seen) && seen == 2 * kSecond;
    store_timeout(probe.get(), -1);
  }
  PyErr_Clear();
  const py::Object closed(PyObject_CallMethod(probe.get(), "close", nullptr));
  return closed ? 0 : -1;
}

bool layout_known() noexcept {
  return known;
}
void set_layout_known(bool value) noexcept {
  known = value;
}

bool read_state(PyObject* socket, SocketState& out) noexcept {
  if (has_fields(socket)) {
    out = {fields_of(socket).fd, fields_of(socket).timeout};
  } else if (!int_from_method(socket, "fileno", out.fd) ||
             !timeout_from_method(socket, out.timeout)) {
    return false;
  }
  if (!held().empty()) {
    const auto found = held().find(socket);
    if (found != held().end()) out.timeout = found->second.timeout;
  }
  return true;
}

int family_of(PyObject* socket) noexcept {
  if (has_fields(socket)) return fields_of(socket).family;
  const py::Object family(PyObject_GetAttrString(socket, "family"));
  return family ? static_cast<int>(PyLong_AsLong(family.get())) : -1;
}

Bracket::Bracket(PyObject* socket, const SocketState& state) noexcept
    : socket_(socket) {
  const auto [entry, first] = held().try_emplace(socket, Held{0, state.timeout});
  ++entry->second.depth;
  if (first) store_timeout(socket, 0);
}

Bracket::~Bracket() {
  const auto found = held().find(socket_);
  if (--found->second.depth > 0) return;
  const Nanos timeout = found->second.timeout;
  held().erase(found);
  py::Object error = py::take_error();
  store_timeout(socket_, timeout);
  py::restore_error(std::move(error));
}

void note_timeout_was_set(PyObject* socket) noexcept {
  const auto found = held().find(socket);
  if (found == held().end()) return;
  py::Object error = py::take_error();
  if (timeout_from_method(socket, found->second.timeout)) store_timeout(socket, 0);
  py::restore_error(std::move(error));
}

}  // namespace celadon::green::sockets
