// Clients send the same fields in the same order again and again, mostly with the same
// values. A shape is one such order with a template: an environ that holds what the
// last request of that shape had. The next one changes what differs and copies it.
//
//   fields of a request ─► Shapes::find ─► Shape ─► update what differs ─► PyDict_Copy
//
// Only values of moderate size are remembered; the number of shapes is fixed.
#pragma once

#include <array>
#include <span>
#include <string_view>
#include <vector>

#include "py/ref.h"
#include "wsgi/responder.h"

namespace celadon::wsgi {

class Shape {
 public:
  static constexpr std::size_t kRemembered = 1024;  // bytes of a value

  Shape() noexcept = default;
  ~Shape() { take_back_kit(); }
  Shape(const Shape&) = delete;
  Shape& operator=(const Shape&) = delete;

  // For these keys in this order, on a copy of `base`. False with an exception.
  [[nodiscard]] bool make(PyObject* base, std::span<PyObject* const> keys) noexcept;
  [[nodiscard]] bool is_for(std::span<PyObject* const> keys) const noexcept;
  void clear() noexcept;

  [[nodiscard]] PyObject* dict() const noexcept { return dict_.get(); }
  // A name comes twice: its values must be joined, nothing is remembered.
  [[nodiscard]] bool repeats() const noexcept { return repeats_; }

  // A place in the template, and the value that stands there (borrowed; null: none).
  struct Slot {
    PyObject* key = nullptr;
    PyObject* value = nullptr;
  };
  [[nodiscard]] Slot& field(std::size_t i) noexcept { return fields_[i]; }
  [[nodiscard]] bool put(Slot& slot, py::Object value) noexcept;
  // Puts the objects of a request there, and notes with them that it holds them.
  [[nodiscard]] bool lend_kit(PyObject* input_key, PyObject* hints_key,
                              PyObject* info_key, const Kit& kit) noexcept;

  Slot method;
  Slot target;
  std::array<Slot, 4> addresses;

 private:
  void take_back_kit() noexcept;

  py::Object dict_;
  std::vector<Slot> fields_;
  std::vector<PyObject*> keys_;  // borrowed from the builder's tables
  ResponderObject* lender_ =
      nullptr;  // alive as long as the template holds its function
  bool repeats_ = false;
};

// Whether the slot holds a str of that very text.
[[nodiscard]] bool holds(const Shape::Slot& slot, std::string_view text) noexcept;

class Shapes {
 public:
  // The shape for these keys, made where there is none. Null with an exception.
  [[nodiscard]] Shape* find(PyObject* base, std::span<PyObject* const> keys) noexcept;
  void clear() noexcept;

 private:
  static constexpr std::size_t kShapes = 32;
  std::array<Shape, kShapes> shapes_;
};

}  // namespace celadon::wsgi
