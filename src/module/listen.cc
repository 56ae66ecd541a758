#include "module/listen.h"

#include <cerrno>
#include <string>

#include "py/ref.h"

namespace celadon::module {
namespace {

// OSError with a text of ours, which the number does not change.
void raise(const std::string& why, int number) noexcept {
  const py::Object error(PyObject_CallFunction(PyExc_OSError, "s", why.c_str()));
  const py::Object value(PyLong_FromLong(number));
  if (!error || !value) return;
  if (number != 0 && PyObject_SetAttrString(error.get(), "errno", value.get()) < 0)
    return;
  PyErr_SetObject(PyExc_OSError, error.get());
}

}  // namespace

std::optional<net::ListenSocket> open_listener(
    std::string_view address, const net::ListenOptions& options) noexcept {
  const std::string text(address);
  const auto target = net::parse_bind(address);
  if (!target) {
    PyErr_Format(PyExc_ValueError, "cannot bind to '%s': %s", text.c_str(),
                 describe(target.error()).data());
    return std::nullopt;
  }
  auto socket = net::ListenSocket::open(*target, options);
  if (!socket) {
    const std::string why =
        "cannot bind to '" + text + "': " + std::string(describe(socket.error()));
    raise(why, socket.error() == Error::AddressInUse ? EADDRINUSE : 0);
    return std::nullopt;
  }
  return std::move(*socket);
}

PyObject* described(const net::ListenSocket& socket, int number) noexcept {
  const std::string text = socket.describe();
  PyObject* decoded = PyUnicode_DecodeFSDefaultAndSize(
      text.data(), static_cast<Py_ssize_t>(text.size()));
  return decoded ? Py_BuildValue("Ni", decoded, number) : nullptr;
}

std::optional<std::string> description(PyObject* text) noexcept {
  const py::Object encoded(PyUnicode_EncodeFSDefault(text));
  if (!encoded) return std::nullopt;
  return std::string(PyBytes_AS_STRING(encoded.get()),
                     static_cast<std::size_t>(PyBytes_GET_SIZE(encoded.get())));
}

}  // namespace celadon::module
