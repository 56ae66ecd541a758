#include "module/log_queue.h"

#include <utility>

namespace celadon::module {
namespace {

int to_python_level(Level level) noexcept {
  switch (level) {
    case Level::Debug: return 10;
    case Level::Info: return 20;
    case Level::Warning: return 30;
    case Level::Error: return 40;
    case Level::Critical: return 50;
  }
  std::unreachable();
}

}  // namespace

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
