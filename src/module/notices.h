// Tells Python of what the core was told, on a runner: it may block.
#pragma once

#include <utility>
#include <vector>

#include "green/hub.h"
#include "py/ref.h"

namespace celadon::module {

class Notices final : private green::Job {
 public:
  // `call(what, value)`, or None for nobody.
  Notices(green::Hub& hub, py::Object call) noexcept
      : hub_(hub), call_(std::move(call)) {}

  static constexpr const char* kSignal = "signal";  // its number
  static constexpr const char* kReport = "report";  // a descriptor to report to

  // False: nobody listens.
  bool tell(const char* what, int value) noexcept {
    if (call_.get() == Py_None) return false;
    pending_.emplace_back(what, value);
    if (!linked()) hub_.submit_first(*this);
    return true;
  }

 private:
  void run(green::Strand&) noexcept override {
    const auto batch = std::exchange(pending_, {});
    for (const auto& [what, value] : batch) {
      if (!py::Object(PyObject_CallFunction(call_.get(), "si", what, value)))
        PyErr_WriteUnraisable(call_.get());
    }
  }

  green::Hub& hub_;
  py::Object call_;
  std::vector<std::pair<const char*, int>> pending_;
};

}  // namespace celadon::module
