// Tells Python of a signal that the core has handled, on a runner: it may block.
#pragma once

#include <vector>

#include "green/hub.h"
#include "py/ref.h"

namespace celadon::module {

class SignalNotice final : private green::Job {
 public:
  // `call(signo)`, or None for nobody.
  SignalNotice(green::Hub& hub, py::Object call) noexcept
      : hub_(hub), call_(std::move(call)) {}

  void tell(int signo) noexcept {
    if (call_.get() == Py_None) return;
    pending_.push_back(signo);
    if (!linked()) hub_.submit_first(*this);
  }

 private:
  void run(green::Strand&) noexcept override {
    const std::vector<int> batch = std::move(pending_);
    pending_.clear();
    for (const int signo : batch) {
      if (!py::Object(PyObject_CallFunction(call_.get(), "i", signo)))
        PyErr_WriteUnraisable(call_.get());
    }
  }

  green::Hub& hub_;
  py::Object call_;
  std::vector<int> pending_;
};

}  // namespace celadon::module
