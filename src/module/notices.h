// Tells Python of what the core was told, on a runner: it may block.
#pragma once

#include <utility>
#include <vector>

#include "green/hub.h"
#include "py/ref.h"

namespace celadon::module {

class Notices final : private green::Job {
 public:
  // `call(what, value, more)`, or None for nobody.
  Notices(green::Hub& hub, py::Object call) noexcept
      : hub_(hub), call_(std::move(call)) {}

  // Its number; with SIGUSR1 the least level that is logged, if the master has said so.
  static constexpr const char* kSignal = "signal";
  static constexpr const char* kReport = "report";  // a descriptor to report to
  // Likewise, and for how many milliseconds to look.
  static constexpr const char* kProfile = "profile";
  static constexpr const char* kProfileAll = "profile all";

  // False: nobody listens.
  bool tell(const char* what, int value, int more = 0) noexcept {
    if (call_.get() == Py_None) return false;
    pending_.push_back({what, value, more});
    if (!linked()) hub_.submit_first(*this);
    return true;
  }

 private:
  void run(green::Strand&) noexcept override {
    const auto batch = std::exchange(pending_, {});
    for (const Notice& notice : batch) {
      if (!py::Object(PyObject_CallFunction(call_.get(), "sii", notice.what,
                                            notice.value, notice.more)))
        PyErr_WriteUnraisable(call_.get());
    }
  }

  green::Hub& hub_;
  py::Object call_;
  struct Notice {
    const char* what;
    int value;
    int more;
  };
  std::vector<Notice> pending_;
};

}  // namespace celadon::module
