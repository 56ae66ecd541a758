#include "green/switch.h"

#include <greenlet/greenlet.h>

#include <array>
#include <charconv>
#include <string_view>

namespace celadon::green {
namespace {
PyGreenlet* as_greenlet(PyObject* object) noexcept {
  return reinterpret_cast<PyGreenlet*>(object);
}

// Others switch something else, or lack functions that are used here. pyproject.toml
// has the same.
constexpr const char* kOldest = PY_VERSION_HEX >= 0x030E0000 ? "3.5.3" : "3.1";

std::array<int, 3> version_of(std::string_view text) noexcept {
  std::array<int, 3> found{};
  const char* at = text.data();
  const char* end = text.data() + text.size();
  for (int& number : found) {
    at = std::from_chars(at, end, number).ptr;
    if (at == end) break;
    ++at;  // the dot
  }
  return found;
}

bool is_new_enough(PyObject* module) noexcept {
  const py::Object version(PyObject_GetAttrString(module, "__version__"));
  const char* text = version ? PyUnicode_AsUTF8(version.get()) : nullptr;
  if (!text) return false;
  if (version_of(text) >= version_of(kOldest)) return true;
  const py::Object name(PyUnicode_FromString("greenlet"));
  const py::Object line(PyUnicode_FromFormat(
      "celadon needs greenlet %s or newer, and greenlet %s is installed", kOldest,
      text));
  if (name && line) PyErr_SetImportError(line.get(), name.get(), nullptr);
  return false;
}
}  // namespace

int import_greenlet() noexcept {
  const py::Object module(PyImport_ImportModule("greenlet"));
  if (!module || !is_new_enough(module.get())) return -1;
  PyGreenlet_Import();
  return _PyGreenlet_API ? 0 : -1;
}

py::Object current_greenlet() noexcept {
  return py::Object(reinterpret_cast<PyObject*>(PyGreenlet_GetCurrent()));
}

py::Object new_greenlet(PyObject* run, PyObject* parent) noexcept {
  return py::Object(
      reinterpret_cast<PyObject*>(PyGreenlet_New(run, as_greenlet(parent))));
}

py::Object switch_to(PyObject* greenlet) noexcept {
  return py::Object(PyGreenlet_Switch(as_greenlet(greenlet), nullptr, nullptr));
}

void throw_exit(PyObject* greenlet) noexcept {
  const py::Object result(
      PyGreenlet_Throw(as_greenlet(greenlet), PyExc_GreenletExit, nullptr, nullptr));
  if (!result) PyErr_Clear();
}

bool is_active(PyObject* greenlet) noexcept {
  return PyGreenlet_ACTIVE(as_greenlet(greenlet)) != 0;
}

PyObject* greenlet_exit_type() noexcept {
  return PyExc_GreenletExit;
}

}  // namespace celadon::green
