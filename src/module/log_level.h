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

}  // namespace celadon::module
