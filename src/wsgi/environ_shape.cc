#include "wsgi/environ_shape.h"

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "wsgi/text.h"

namespace celadon::wsgi {

bool holds(const Shape::Slot& slot, std::string_view text) noexcept {
  std::string_view held;
  return slot.value && latin1_view(slot.value, held) && held.size() == text.size() &&
         std::memcmp(held.data(), text.data(), text.size()) == 0;
}

void Shape::take_back_kit() noexcept {
  if (lender_) --lender_->lent;
  lender_ = nullptr;
}

void Shape::clear() noexcept {
  take_back_kit();
  dict_.reset();
  fields_.clear();
  keys_.clear();
  method = target = {};
  addresses = {};
  repeats_ = false;
}

bool Shape::make(PyObject* base, std::span<PyObject* const> keys) noexcept {
  clear();
  py::Object dict(PyDict_Copy(base));
  if (!dict) return false;
  for (PyObject* key : keys) {
    const Py_ssize_t before = PyDict_GET_SIZE(dict.get());
    if (PyDict_SetItem(dict.get(), key, Py_None) < 0) return false;
    repeats_ = repeats_ || PyDict_GET_SIZE(dict.get()) == before;
    fields_.push_back({key, nullptr});
  }
  if (repeats_) dict.reset(PyDict_Copy(base));
  keys_.assign(keys.begin(), keys.end());
  dict_ = std::move(dict);
  return static_cast<bool>(dict_);
}

bool Shape::is_for(std::span<PyObject* const> keys) const noexcept {
  return dict_ && std::ranges::equal(keys, keys_);
}

bool Shape::put(Slot& slot, py::Object value) noexcept {
  slot.value = nullptr;
  if (!value || PyDict_SetItem(dict_.get(), slot.key, value.get()) < 0) return false;
  slot.value = value.get();
  return true;
}

bool Shape::lend_kit(PyObject* input_key, PyObject* hints_key, PyObject* info_key,
                     const Kit& kit) noexcept {
  if (lender_ == kit.responder.get()) return true;
  take_back_kit();
  auto* input = reinterpret_cast<PyObject*>(kit.input.get());
  if (PyDict_SetItem(dict_.get(), input_key, input) < 0 ||
      PyDict_SetItem(dict_.get(), hints_key, kit.early_hints.get()) < 0 ||
      PyDict_SetItem(dict_.get(), info_key,
                     reinterpret_cast<PyObject*>(kit.info.get())) < 0) {
    return false;
  }
  lender_ = kit.responder.get();
  ++lender_->lent;
  return true;
}

Shape* Shapes::find(PyObject* base, std::span<PyObject* const> keys) noexcept {
  std::size_t hash = keys.size();
  for (PyObject* key : keys) {
    hash = hash * 31 + reinterpret_cast<std::size_t>(key) / alignof(std::max_align_t);
  }
  Shape& shape = shapes_[hash % kShapes];
  return shape.is_for(keys) || shape.make(base, keys) ? &shape : nullptr;
}

void Shapes::clear() noexcept {
  for (Shape& shape : shapes_) shape.clear();
}

}  // namespace celadon::wsgi
