// Fields of answers that are constants of an application's code: the same tuple with
// each answer, which is checked once.
#pragma once

#include <array>
#include <cstdint>

#include "http/response.h"
#include "py/ref.h"

namespace celadon::gateway {

class ConstantFields {
 public:
  struct Known {
    py::Object item;
    http::HeaderView view;
    http::HeaderId id = http::HeaderId::Other;
  };
  // Null: it is not known.
  [[nodiscard]] const Known* find(PyObject* item) const noexcept {
    const Known& known = places_[place_of(item)];
    return known.item.get() == item ? &known : nullptr;
  }
  // One that was checked. Only what others hold beside its list can come again.
  void note(PyObject* item, const http::HeaderView& view, http::HeaderId id) noexcept {
    if (Py_REFCNT(item) < 2 || !is_plain(item)) return;
    places_[place_of(item)] = {py::Object::copy(item), view, id};
  }
  void clear() noexcept { places_ = {}; }
  // Lets go of what nobody else holds any more.
  void forget_unused() noexcept {
    for (Known& known : places_) {
      if (known.item && Py_REFCNT(known.item.get()) == 1) known = {};
    }
  }

 private:
  static constexpr std::size_t kPlaces = 32;

  [[nodiscard]] static std::size_t place_of(const PyObject* item) noexcept {
    return reinterpret_cast<std::uintptr_t>(item) / alignof(std::max_align_t) % kPlaces;
  }
  // Dropping it later runs no code.
  [[nodiscard]] static bool is_plain(PyObject* item) noexcept {
    return PyTuple_CheckExact(item) &&
           PyUnicode_CheckExact(PyTuple_GET_ITEM(item, 0)) &&
           PyUnicode_CheckExact(PyTuple_GET_ITEM(item, 1));
  }

  std::array<Known, kPlaces> places_;
};

}  // namespace celadon::gateway
