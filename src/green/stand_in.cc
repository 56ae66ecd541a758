#include "green/stand_in.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>
#include <utility>

#include "py/type.h"

namespace celadon::green {
namespace {

// More than there are functions that wait in the standard library and in the libraries
// that are adapted.
constexpr std::size_t kMost = 160;
std::array<StandIn, kMost> places;

template <std::size_t I>
PyObject* forward(PyObject*, PyObject* const* values, Py_ssize_t count,
                  PyObject* names) noexcept {
  return PyObject_Vectorcall(places[I].instead, values, static_cast<std::size_t>(count),
                             names);
}

template <std::size_t... I>
constexpr auto forwards_of(std::index_sequence<I...> /*numbers*/) noexcept {
  return std::array<_PyCFunctionFastWithKeywords, sizeof...(I)>{&forward<I>...};
}
constexpr auto forwards = forwards_of(std::make_index_sequence<kMost>());

PyMethodDef* method_of(PyObject* function) noexcept {
  return reinterpret_cast<PyCFunctionObject*>(function)->m_ml;
}

bool stands_for(PyObject* function, PyObject* native) noexcept {
  return PyCFunction_Check(function) &&
         PyCFunction_GET_SELF(function) == PyCFunction_GET_SELF(native) &&
         std::string_view(method_of(function)->ml_name) == method_of(native)->ml_name;
}

// None of ours asks for its module. A method of an object is one of that object.
bool is_ours(PyObject* function) noexcept {
  if (!PyCFunction_Check(function)) return false;
  PyObject* self = PyCFunction_GET_SELF(function);
  const char* name = self && PyModule_Check(self) ? PyModule_GetName(self) : "";
  if (!name) PyErr_Clear();
  return name && std::string_view(name).starts_with("celadon.");
}

// Since 3.13 flags are the signature of whoever has none in its words, and ours has
// other flags.
bool keep_signature(StandIn& place, PyObject* native) noexcept {
  const py::Object signature(PyObject_GetAttrString(native, "__text_signature__"));
  if (!signature) return false;
  constexpr const char* kEnd = "\n--\n\n";
  const char* words = place.method.ml_doc ? place.method.ml_doc : "";
  if (!PyUnicode_Check(signature.get()) || std::string_view(words).contains(kEnd)) {
    return true;
  }
  const char* text = PyUnicode_AsUTF8(signature.get());
  if (!text) return false;
  place.words = PyBytes_FromFormat("%s%s%s%s", place.method.ml_name, text, kEnd, words);
  if (!place.words) return false;
  place.method.ml_doc = PyBytes_AS_STRING(place.words);
  return true;
}

}  // namespace

PyObject* stand_in(StandIn& place, PyObject* native, PyCFunction call,
                   int flags) noexcept {
  if (place.made) return py::new_ref(place.made);
  PyObject* self = nullptr;
  if (PyCFunction_Check(native)) {
    place.method = *method_of(native);
    self = PyCFunction_GET_SELF(native);
    if (!keep_signature(place, native)) return nullptr;
  }
  place.method.ml_meth = call;
  place.method.ml_flags = flags;
  const py::Object module(PyObject_GetAttrString(native, "__module__"));
  if (!module) return nullptr;
  place.made = PyCFunction_NewEx(&place.method, self, module.get());
  if (!place.made) return nullptr;
  place.native = py::new_ref(native);
  return py::new_ref(place.made);
}

PyObject* py_in_place_of(PyObject*, PyObject* const* args, Py_ssize_t count) noexcept {
  if (count != 2 || !PyCFunction_Check(args[0]) || !PyCallable_Check(args[1])) {
    PyErr_SetString(PyExc_TypeError, "in_place_of(function of C, function)");
    return nullptr;
  }
  PyObject* native = args[0];
  if (stands_for(args[1], native)) return py::new_ref(args[1]);
  const PyMethodDef* ours = is_ours(args[1]) ? method_of(args[1]) : nullptr;
  auto* const place = std::ranges::find_if(places, [native, ours](const StandIn& each) {
    if (!each.made) return true;
    return each.native == native &&
           (ours ? each.method.ml_meth == ours->ml_meth : each.instead != nullptr);
  });
  if (place == places.end()) {
    PyErr_SetString(PyExc_RuntimeError, "too many functions are replaced");
    return nullptr;
  }
  if (ours) return stand_in(*place, native, ours->ml_meth, ours->ml_flags);
  // Who took the one that stands there already calls the new one, too.
  py::drop(std::exchange(place->instead, py::new_ref(args[1])));
  return stand_in(*place, native, py::as_method(forwards[place - places.begin()]),
                  METH_FASTCALL | METH_KEYWORDS);
}

}  // namespace celadon::green
