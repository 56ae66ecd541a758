// Levels of the core as numbers of Python's logging module.
#pragma once

#include <utility>

#include "base/log.h"

namespace celadon::module {

[[nodiscard]] inline int to_python_level(Level level) noexcept {
  switch (level) {
    case Level::Debug: return 10;
    case Level::Info: return 20;
    case Level::Warning: return 30;
    case Level::Error: return 40;
    case Level::Critical: return 50;
  }
  std::unreachable();
}

// The least that is logged where that is the least.
[[nodiscard]] inline Level from_python_level(int level) noexcept {
  for (const Level each : {Level::Debug, Level::Info, Level::Warning, Level::Error}) {
    if (level <= to_python_level(each)) return each;
  }
  return Level::Critical;
}

}  // namespace celadon::module
