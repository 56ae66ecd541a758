#include "master/log_heir.h"

#include "base/line_file.h"

namespace celadon::master {

void LogHeir::inherit(LogRing ring, LogSink& log) const noexcept {
  if (!ring || path_.empty()) return;
  if (ring.peek().first.empty()) return;
  auto file = LineFile::open(path_, standard_);
  while (file) {
    const auto [first, second] = ring.peek();
    const std::size_t done = file->write(first, second).bytes;
    if (done == 0) break;
    ring.take(done);
  }
  const auto [first, second] = ring.peek();
  const std::size_t lost = first.size() + second.size();
  if (lost == 0) return;
  ring.take(lost);
  log.log(Level::Warning,
          std::to_string(lost) +
              " bytes that a worker left for the access log were lost: " +
              std::string(file ? "it takes no more now" : describe(file.error())));
}

}  // namespace celadon::master
