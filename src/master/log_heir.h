// Writes the lines that a killed worker had not written yet.
#pragma once

#include <string>

#include "base/log.h"
#include "base/log_ring.h"

namespace celadon::master {

class LogHeir {
 public:
  // `path` as LineFile takes it; empty: there is no log.
  LogHeir(std::string path, int standard) noexcept
      : path_(std::move(path)), standard_(standard) {}
  // Never waits: what cannot be written at once is lost, and said.
  void inherit(LogRing ring, LogSink& log) const noexcept;

 private:
  std::string path_;
  int standard_;
};

}  // namespace celadon::master
