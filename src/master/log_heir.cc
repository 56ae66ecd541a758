#include "master/log_heir.h"

#include "base/line_file.h"

namespace celadon::master {

void LogHeir::inherit(LogRing ring, LogSink& log) const noexcept {
  if (!ring || path_.empty()) return;
  const auto [first, second] = ring.peek();
  const std::size_t left = first.size() + second.size();
  if (left == 0) return;
  auto file = LineFile::open(path_, standard_);
  const std::size_t done = file ? file->write(first, second, 0).bytes : 0;
  ring.take(left);
  if (done == left) return;
  log.log(Level::Warning, std::to_string(left - done) +
                              " bytes that a worker left for the access log were lost");
}

}  // namespace celadon::master
