#include "wsgi/environ_shape.h"

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "base/memory.h"
#include "gateway/text.h"
#include "py/dict_version.h"

namespace celadon::wsgi {

bool holds(const Template::Slot& slot, std::string_view text) noexcept {
  std::string_view held;
  return slot.value && gateway::latin1_view(slot.value, held) &&
         held.size() == text.size() &&
         std::memcmp(held.data(), text.data(), text.size()) == 0;
}

// --- templates ---

void Template::take_back_kit() noexcept {
  if (lender_) --lender_->lent;
  lender_ = nullptr;
}

void Template::clear() noexcept {
  take_back_kit();
  dict_.reset();
  give_back(fields_);
  method = target = {};
  local = peer = {};
  block = 0;
  large = repeats_ = false;
}

bool Template::make(PyObject* base, std::span<PyObject* const> keys) noexcept {
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
  dict_ = std::move(dict);
  return static_cast<bool>(dict_);
}

bool Template::put(Slot& slot, py::Object value) noexcept {
  slot.value = nullptr;
  if (!value || PyDict_SetItem(dict_.get(), slot.key, value.get()) < 0) return false;
  slot.value = value.get();
  return true;
}

bool Template::lend_kit(PyObject* input_key, PyObject* hints_key, PyObject* info_key,
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

// --- shapes ---

void Shape::clear() noexcept {
  copied_.clear();
  lose();
  give_back(keys_);
  losses_ = wait_ = 0;
  ++number_;
}

void Shape::make(std::span<PyObject* const> keys) noexcept {
  clear();
  keys_.assign(keys.begin(), keys.end());
}

bool Shape::is_for(std::span<PyObject* const> keys) const noexcept {
  return std::ranges::equal(keys, keys_);
}

bool Shape::has(const PyObject* key) const noexcept {
  return std::ranges::find(keys_, key) != keys_.end();
}

Template* Shape::to_copy(PyObject* base) noexcept {
  used_ = true;
  return copied_.dict() || copied_.make(base, keys_) ? &copied_ : nullptr;
}

Template* Shape::to_lend(PyObject* base) noexcept {
  used_ = true;
  if (version_ != 0) return nullptr;
  if (wait_ > 0) {
    --wait_;
    return nullptr;
  }
  if (!lent_.dict() && !lent_.make(base, keys_)) {
    PyErr_Clear();
    return nullptr;
  }
  return lent_.repeats() ? nullptr : &lent_;
}

py::Object Shape::lend() noexcept {
  version_ = py::dict_version(lent_.dict());
  return py::Object::copy(lent_.dict());
}

bool Shape::take_back(py::Object& environ) noexcept {
  if (version_ == 0 || environ.get() != lent_.dict()) return false;
  constexpr Py_ssize_t kOurs = 2;  // the template's and the one that comes back
  const bool untouched =
      Py_REFCNT(environ.get()) == kOurs && py::dict_version(environ.get()) == version_;
  version_ = 0;
  if (untouched) return true;
  // Who keeps it or writes to it will do so again.
  constexpr unsigned kLeast = 16;
  constexpr unsigned kMostDoublings = 16;
  wait_ = kLeast << std::min(losses_++, kMostDoublings);
  lose();
  return true;
}

void Shape::lose() noexcept {
  version_ = 0;
  lent_.clear();
}

Shape& Shapes::find(std::span<PyObject* const> keys) noexcept {
  std::size_t hash = keys.size();
  for (PyObject* key : keys) {
    hash = hash * 31 + reinterpret_cast<std::size_t>(key) / alignof(std::max_align_t);
  }
  Shape& shape = shapes_[hash % kShapes];
  if (!shape.is_for(keys)) shape.make(keys);
  return shape;
}

bool Shapes::have(const PyObject* key) const noexcept {
  return std::ranges::any_of(shapes_,
                             [key](const Shape& shape) { return shape.has(key); });
}

void Shapes::clear_unused() noexcept {
  for (Shape& shape : shapes_) {
    if (!shape.take_use()) shape.clear();
  }
}

void Shapes::clear() noexcept {
  for (Shape& shape : shapes_) shape.clear();
}

bool tells_of_writes() noexcept {
  const py::Object dict(PyDict_New());
  if (!dict || PyDict_SetItem(dict.get(), Py_None, Py_True) < 0) {
    PyErr_Clear();
    return false;
  }
  const std::uint64_t before = py::dict_version(dict.get());
  const bool written = PyDict_SetItem(dict.get(), Py_None, Py_False) == 0;
  PyErr_Clear();
  return before != 0 && written && py::dict_version(dict.get()) != before;
}

}  // namespace celadon::wsgi
