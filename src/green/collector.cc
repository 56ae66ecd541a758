#include "green/collector.h"

#include <algorithm>
#include <cstdint>

#include "green/hub.h"
#include "py/type.h"

namespace celadon::green {
namespace {

// `info`: as gc.callbacks have it.
void count_collection(HubStats& stats, PyObject* info) noexcept {
  const auto number = [info](const char* name) noexcept -> std::uint64_t {
    PyObject* value = PyDict_Check(info) ? PyDict_GetItemString(info, name) : nullptr;
    const long found = value ? PyLong_AsLong(value) : 0;
    if (PyErr_Occurred()) PyErr_Clear();
    return found < 0 ? 0 : static_cast<std::uint64_t>(found);
  };
  const std::size_t generation = std::min<std::size_t>(number("generation"), 2);
  ++stats.collections[generation];
  stats.collected[generation] += number("collected");
  stats.uncollectable[generation] += number("uncollectable");
}

PyObject* callbacks_of_collector() noexcept {
  const py::Object gc(PyImport_ImportModule("gc"));
  PyObject* list = gc ? PyObject_GetAttrString(gc.get(), "callbacks") : nullptr;
  PyErr_Clear();
  return list && PyList_Check(list) ? list : nullptr;
}

// What is called last must be: others may have been added behind it.
bool gc_ends_last() noexcept {
  static PyObject* const callbacks = callbacks_of_collector();
  const auto is_ours = [](PyObject* each) {
    return PyCFunction_Check(each) &&
           PyCFunction_GET_FUNCTION(each) == py::as_method(py_gc_ends);
  };
  const Py_ssize_t count = callbacks ? PyList_GET_SIZE(callbacks) : 0;
  for (Py_ssize_t i = count - 1; i >= 0; --i) {
    const py::Object each = py::Object::copy(PyList_GET_ITEM(callbacks, i));
    if (!is_ours(each.get())) continue;
    return i == count - 1 || (PyList_Append(callbacks, each.get()) == 0 &&
                              PySequence_DelItem(callbacks, i) == 0);
  }
  return false;
}

}  // namespace

PyObject* py_gc_begins(PyObject*, PyObject* const* args, Py_ssize_t count) noexcept {
  if (count < 2 || !PyUnicode_Check(args[0]) ||
      PyUnicode_CompareWithASCIIString(args[0], "start") != 0)
    return py::none();
  if (gc_ends_last()) set_collecting(true);
  if (Hub* hub = Hub::here()) hub->note_collection();
  return py::none();
}

PyObject* py_gc_ends(PyObject*, PyObject* const* args, Py_ssize_t count) noexcept {
  if (count < 2 || !PyUnicode_Check(args[0]) ||
      PyUnicode_CompareWithASCIIString(args[0], "stop") != 0)
    return py::none();
  if (Hub* hub = Hub::here()) {
    count_collection(hub->stats(), args[1]);
    hub->end_collection();
  }
  set_collecting(false);
  return py::none();
}

}  // namespace celadon::green
