#include "module/log_queue.h"

#include <utility>

#include "module/log_level.h"

namespace celadon::module {

void LogQueue::log(Level level, std::string_view line) noexcept {
  if (lines_.size() >= kMost) {
    ++dropped_;
    return;
  }
  lines_.push_back({level, std::string(line)});
  if (!linked()) hub_.submit(*this);
}

void LogQueue::run(green::Strand&) noexcept {
  drain();
}

void LogQueue::drain() noexcept {
  while (!lines_.empty()) {
    const Line line = std::move(lines_.front());
    lines_.pop_front();
    const py::Object done(PyObject_CallFunction(
        write_.get(), "is#", to_python_level(line.level), line.text.data(),
        static_cast<Py_ssize_t>(line.text.size())));
    if (!done) PyErr_WriteUnraisable(write_.get());
  }
  if (const auto lost = std::exchange(dropped_, 0)) {
    lines_.push_back(
        {Level::Warning, std::to_string(lost) + " log lines were dropped"});
    drain();
  }
}

}  // namespace celadon::module
