// Log lines of C++ rooms on their way to Python's logging: bounded, and handed over by
// a runner, since a handler may block.
#pragma once

#include <deque>
#include <string>

#include "base/log.h"
#include "green/hub.h"

namespace celadon::module {

class LogQueue final : public LogSink, private green::Job {
 public:
  // `write(level, text)`: level is a number of the logging module.
  LogQueue(green::Hub& hub, py::Object write) noexcept
      : hub_(hub), write_(std::move(write)) {}

  void log(Level level, std::string_view line) noexcept override;
  // Hands over what waits, from a place that may block.
  void drain() noexcept;

 private:
  void run(green::Strand& strand) noexcept override;
  struct Line {
    Level level;
    std::string text;
  };
  static constexpr std::size_t kMost = 1000;

  green::Hub& hub_;
  py::Object write_;
  std::deque<Line> lines_;
  std::uint64_t dropped_ = 0;
};

}  // namespace celadon::module
