#include "module/series_object.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "metrics/declaration.h"
#include "metrics/gather.h"
#include "module/series_home.h"
#include "py/type.h"

namespace celadon::module {
namespace {

using metrics::Merge;

constexpr std::pair<std::string_view, Merge> kMerges[] = {
    {"sum", Merge::Sum}, {"livesum", Merge::LiveSum},   {"max", Merge::Max},
    {"min", Merge::Min}, {"mostrecent", Merge::Recent}, {"all", Merge::Each}};

struct State {
  std::string family;
  std::string declaration;
  std::string labels;
  std::string other;  // labels where there are too many series
  Merge merge = Merge::Sum;
  std::size_t cells = 1;
  std::vector<double> bounds;  // of a histogram
  std::span<double> found;
  std::uint64_t epoch = 0;
};

struct SeriesObject {
  PyObject_HEAD State* state;
};

State& state_of(PyObject* self) noexcept {
  return *reinterpret_cast<SeriesObject*>(self)->state;
}

std::string_view text_of(PyObject* object) noexcept {
  Py_ssize_t size = 0;
  const char* text = PyUnicode_AsUTF8AndSize(object, &size);
  return text ? std::string_view(text, static_cast<std::size_t>(size))
              : std::string_view();
}

bool read_labels(PyObject* names, PyObject* values, State& out) noexcept {
  const Py_ssize_t count = PyTuple_GET_SIZE(names);
  if (PyTuple_GET_SIZE(values) != count) {
    PyErr_SetString(PyExc_ValueError, "as many values as labels are needed");
    return false;
  }
  for (Py_ssize_t i = 0; i < count; ++i) {
    const std::string_view name = text_of(PyTuple_GET_ITEM(names, i));
    const std::string_view value = text_of(PyTuple_GET_ITEM(values, i));
    if (PyErr_Occurred()) return false;
    metrics::append_label(out.labels, name, value);
    metrics::append_label(out.other, name, "_other");
  }
  return true;
}

// "0.5,1,2.5"
void read_bounds(std::string_view text, State& out) {
  while (!text.empty()) {
    const std::size_t end = text.find(',');
    out.bounds.push_back(
        std::strtod(std::string(text.substr(0, end)).c_str(), nullptr));
    text.remove_prefix(end == text.npos ? text.size() : end + 1);
  }
}

// The cells of now; empty where there is no room for any.
std::span<double> cells_of(State& state) noexcept {
  SeriesHome& home = series_home();
  if (state.epoch != home.epoch()) {
    home.writer().declare(state.declaration);
    state.found = home.writer().find(state.family, state.labels, state.merge,
                                     state.cells, state.other);
    state.epoch = home.epoch();
  }
  return state.found;
}

// Series(family, type, help, bounds, merge, cells, labelnames, labelvalues)
PyObject* series_new(PyTypeObject* type, PyObject* args, PyObject*) noexcept {
  const char *family = nullptr, *kind = nullptr, *help = nullptr, *bounds = nullptr,
             *merge = nullptr;
  Py_ssize_t cells = 0;
  PyObject *names = nullptr, *values = nullptr;
  if (!PyArg_ParseTuple(args, "sssssnO!O!:Series", &family, &kind, &help, &bounds,
                        &merge, &cells, &PyTuple_Type, &names, &PyTuple_Type,
                        &values)) {
    return nullptr;
  }
  auto state = std::make_unique<State>();
  const auto* const found = std::ranges::find(
      kMerges, std::string_view(merge), &std::pair<std::string_view, Merge>::first);
  if (found == std::end(kMerges) || cells < 1 || cells > 1000) {
    PyErr_SetString(PyExc_ValueError, "no such way to merge, or too many cells");
    return nullptr;
  }
  state->family = family;
  state->declaration = metrics::to_text({family, kind, help, bounds});
  state->merge = found->second;
  state->cells = static_cast<std::size_t>(cells);
  read_bounds(bounds, *state);
  if (!read_labels(names, values, *state)) return nullptr;
  if (*bounds != '\0') {
    // Code that is loaded anew may count by others.
    state->labels.append(1, '\0').append(bounds);
    state->other.append(1, '\0').append(bounds);
  }
  auto* self = reinterpret_cast<SeriesObject*>(type->tp_alloc(type, 0));
  if (!self) return nullptr;
  self->state = state.release();
  cells_of(*self->state);  // it is there from now on, though it be zero
  return reinterpret_cast<PyObject*>(self);
}

void series_dealloc(PyObject* self) noexcept {
  delete &state_of(self);
  py::free_object(self);
}

// What two arguments say: a cell and a number.
double* cell_of(PyObject* self, PyObject* const* args, Py_ssize_t count,
                double& number) noexcept {
  static double nowhere = 0;
  if (count != 2) {
    PyErr_SetString(PyExc_TypeError, "a cell and a number are needed");
    return nullptr;
  }
  const Py_ssize_t at = PyLong_AsSsize_t(args[0]);
  number = PyFloat_AsDouble(args[1]);
  if (PyErr_Occurred()) return nullptr;
  const auto cells = cells_of(state_of(self));
  if (at < 0 || static_cast<std::size_t>(at) >= state_of(self).cells) {
    PyErr_SetString(PyExc_IndexError, "no such cell");
    return nullptr;
  }
  return cells.empty() ? &nowhere : &cells[static_cast<std::size_t>(at)];
}

PyObject* series_add(PyObject* self, PyObject* const* args, Py_ssize_t count) noexcept {
  double amount = 0;
  double* cell = cell_of(self, args, count, amount);
  if (!cell) return nullptr;
  *cell += amount;
  return py::none();
}

PyObject* series_set(PyObject* self, PyObject* const* args, Py_ssize_t count) noexcept {
  double value = 0;
  double* cell = cell_of(self, args, count, value);
  if (!cell) return nullptr;
  *cell = value;
  return py::none();
}

// observe(value): of a histogram. What is no number is above all bounds.
PyObject* series_observe(PyObject* self, PyObject* number) noexcept {
  const double value = PyFloat_AsDouble(number);
  if (value == -1.0 && PyErr_Occurred()) return nullptr;
  State& state = state_of(self);
  const auto cells = cells_of(state);
  const std::size_t buckets = state.bounds.size() + 1;
  if (cells.size() < buckets + 1) return py::none();
  const auto at = std::isnan(value) ? state.bounds.end()
                                    : std::ranges::lower_bound(state.bounds, value);
  cells[static_cast<std::size_t>(at - state.bounds.begin())] += 1;
  cells[buckets] += value;
  return py::none();
}

PyObject* to_list(std::span<const double> cells) noexcept {
  py::Object list(PyList_New(static_cast<Py_ssize_t>(cells.size())));
  for (std::size_t i = 0; list && i < cells.size(); ++i) {
    PyObject* value = PyFloat_FromDouble(metrics::read_cell(cells[i]));
    if (!value) return nullptr;
    PyList_SET_ITEM(list.get(), static_cast<Py_ssize_t>(i), value);
  }
  return list.release();
}

PyObject* series_values(PyObject* self, PyObject*) noexcept {
  return to_list(cells_of(state_of(self)));
}

PyObject* series_clear(PyObject* self, PyObject*) noexcept {
  std::ranges::fill(cells_of(state_of(self)), 0.0);
  return py::none();
}

PyMethodDef series_methods[] = {
    {"add", py::as_method(series_add), METH_FASTCALL, "add(cell, amount)"},
    {"set", py::as_method(series_set), METH_FASTCALL, "set(cell, value)"},
    {"observe", series_observe, METH_O, "observe(value)\n\nOf a histogram."},
    {"values", series_values, METH_NOARGS, "values() -> the cells of this process"},
    {"clear", series_clear, METH_NOARGS, "Zeros in all cells of this process."},
    {nullptr, nullptr, 0, nullptr}};
PyType_Slot series_slots[] = {{Py_tp_new, py::as_slot(series_new)},
                              {Py_tp_dealloc, py::as_slot(series_dealloc)},
                              {Py_tp_methods, series_methods},
                              {0, nullptr}};
PyType_Spec series_spec{"celadon._core.metrics.Series", sizeof(SeriesObject), 0,
                        Py_TPFLAGS_DEFAULT, series_slots};

PyObject* to_str(std::string_view text) noexcept {
  return PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()),
                              "replace");
}

metrics::Gathered gather() noexcept {
  SeriesHome& home = series_home();
  if (home.slab()) {
    metrics::Gathered gathered;
    home.slab()->read_whole([&] { gathered = metrics::gather_series(*home.slab()); });
    return gathered;
  }
  return metrics::gather_list(home.writer().list());
}

// gather() -> [(family, type, help, bounds, [(labels, [cell ...]) ...]) ...], of all
// processes together.
PyObject* py_gather(PyObject*, PyObject*) noexcept {
  const metrics::Gathered gathered = gather();
  py::Object all(PyList_New(0));
  for (const auto& [name, family] : gathered.families) {
    const py::Object samples(PyList_New(0));
    for (const auto& [labels, cells] : family.samples) {
      const py::Object item(Py_BuildValue("NN", to_str(labels), to_list(cells)));
      if (!samples || !item || PyList_Append(samples.get(), item.get()) < 0)
        return nullptr;
    }
    const py::Object item(Py_BuildValue("NNNNO", to_str(name), to_str(family.type),
                                        to_str(family.help), to_str(family.bounds),
                                        samples.get()));
    if (!all || !item || PyList_Append(all.get(), item.get()) < 0) return nullptr;
  }
  return all.release();
}

// label_text(names, values) -> as the labels of a sample are printed
PyObject* py_label_text(PyObject*, PyObject* args) noexcept {
  PyObject *names = nullptr, *values = nullptr;
  if (!PyArg_ParseTuple(args, "O!O!:label_text", &PyTuple_Type, &names, &PyTuple_Type,
                        &values)) {
    return nullptr;
  }
  State state;
  if (!read_labels(names, values, state)) return nullptr;
  return to_str(state.labels);
}

PyMethodDef functions[] = {
    {"gather", py_gather, METH_NOARGS, "All series, of all processes together."},
    {"label_text", py_label_text, METH_VARARGS, "label_text(names, values) -> str"},
    {nullptr, nullptr, 0, nullptr}};

}  // namespace

int add_metrics(PyObject* module) noexcept {
  if (!py::add_type(module, series_spec)) return -1;
  return PyModule_AddFunctions(module, functions);
}

}  // namespace celadon::module
