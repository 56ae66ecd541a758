// References that say by type who owns them. Bare reference counting stays in this
// room.
#pragma once

#include <utility>

#include "py/python.h"

namespace celadon::py {

// Owns one reference, or is empty. Dropping the last reference may run any code.
template <class T = PyObject>
class Owned {
 public:
  Owned() noexcept = default;
  // Steals.
  explicit Owned(T* object) noexcept : object_(object) {}
  Owned(Owned&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  Owned& operator=(Owned&& other) noexcept {
    reset(std::exchange(other.object_, nullptr));
    return *this;
  }
  Owned(const Owned&) = delete;
  Owned& operator=(const Owned&) = delete;
  [[gnu::always_inline]] ~Owned() { Py_XDECREF(reinterpret_cast<PyObject*>(object_)); }

  // Takes a new reference to a borrowed object.
  static Owned copy(T* borrowed) noexcept {
    Py_XINCREF(reinterpret_cast<PyObject*>(borrowed));
    return Owned(borrowed);
  }

  [[nodiscard]] T* get() const noexcept { return object_; }
  [[nodiscard]] T* release() noexcept { return std::exchange(object_, nullptr); }
  void reset(T* stolen = nullptr) noexcept {
    T* before = std::exchange(object_, stolen);
    Py_XDECREF(reinterpret_cast<PyObject*>(before));
  }
  explicit operator bool() const noexcept { return object_ != nullptr; }
  T* operator->() const noexcept { return object_; }

 private:
  T* object_ = nullptr;
};

using Object = Owned<PyObject>;

// A new reference, to be returned to Python.
[[nodiscard]] inline PyObject* new_ref(PyObject* borrowed) noexcept {
  Py_INCREF(borrowed);
  return borrowed;
}
// Drops a reference that was kept as a bare pointer; null is fine.
inline void drop(PyObject* owned) noexcept {
  Py_XDECREF(owned);
}
[[nodiscard]] inline PyObject* none() noexcept {
  return new_ref(Py_None);
}
[[nodiscard]] inline PyObject* boolean(bool value) noexcept {
  return new_ref(value ? Py_True : Py_False);
}

}  // namespace celadon::py
