// Clients send the same fields in the same order again and again, mostly with the same
// values. A shape is one such order with templates: environs that hold what the last
// request of that shape had. The next one changes what differs in one of them.
//
//   fields of a request ─► Shapes::find ─► Shape ─► update what differs ─► PyDict_Copy
//                                                            │
//                                                            └─► lend, if nobody has it
//
// A copy is what an application gets that keeps its environ, or writes to it. One that
// does neither is lent the template itself: it is as before when it comes back.
//
// Only values of moderate size are remembered; the number of shapes is fixed.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "py/ref.h"
#include "server/exchange.h"
#include "wsgi/responder.h"

namespace celadon::wsgi {

class Template {
 public:
  static constexpr std::size_t kRemembered = 1024;  // bytes of a value

  Template() noexcept = default;
  ~Template() { take_back_kit(); }
  Template(const Template&) = delete;
  Template& operator=(const Template&) = delete;

  // For these keys in this order, on a copy of `base`. False with an exception.
  [[nodiscard]] bool make(PyObject* base, std::span<PyObject* const> keys) noexcept;
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
  net::Address local;  // whose texts stand there
  net::Address peer;
  // The header block whose values stand there (http/request.h); 0: it is not known.
  std::uint64_t block = 0;
  bool large = false;  // a value of the block is not among them

 private:
  void take_back_kit() noexcept;

  py::Object dict_;
  std::vector<Slot> fields_;
  ResponderObject* lender_ =
      nullptr;  // alive as long as the template holds its function
  bool repeats_ = false;
};

// Whether the slot holds a str of that very text.
[[nodiscard]] bool holds(const Template::Slot& slot, std::string_view text) noexcept;

class Shape {
 public:
  void make(std::span<PyObject* const> keys) noexcept;
  [[nodiscard]] bool is_for(std::span<PyObject* const> keys) const noexcept;
  [[nodiscard]] bool has(const PyObject* key) const noexcept;
  // Changes with the keys.
  [[nodiscard]] std::uint64_t number() const noexcept { return number_; }
  void clear() noexcept;
  // Whether a request had it since the last call.
  [[nodiscard]] bool take_use() noexcept { return std::exchange(used_, false); }

  // The template that is copied. Null with an exception.
  [[nodiscard]] Template* to_copy(PyObject* base) noexcept;
  // The one that is lent, if it is here and worth trying. Null without an exception.
  [[nodiscard]] Template* to_lend(PyObject* base) noexcept;
  // Its dict is an environ from here on, until it is taken back or dropped.
  [[nodiscard]] py::Object lend() noexcept;
  // False: it is none of this shape.
  bool take_back(py::Object& environ) noexcept;

 private:
  void lose() noexcept;

  std::vector<PyObject*> keys_;  // borrowed from the builder's tables
  Template copied_;
  Template lent_;
  std::uint64_t version_ = 0;  // of the dict that is lent; 0: none is
  unsigned losses_ = 0;        // of those lent, until now
  unsigned wait_ = 0;          // requests until the next is lent
  std::uint64_t number_ = 0;
  bool used_ = false;
};

class Shapes {
 public:
  // The shape for these keys, made where there is none.
  [[nodiscard]] Shape& find(std::span<PyObject* const> keys) noexcept;
  // Whether any has that key.
  [[nodiscard]] bool have(const PyObject* key) const noexcept;
  void clear() noexcept;
  // Those that no request had since the last call.
  void clear_unused() noexcept;

 private:
  static constexpr std::size_t kShapes = 32;
  std::array<Shape, kShapes> shapes_;
};

// Whether this interpreter tells that a dict was written to.
[[nodiscard]] bool tells_of_writes() noexcept;

}  // namespace celadon::wsgi
