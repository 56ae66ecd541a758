#include "master/ending.h"

#include <csignal>

#include "base/signal_name.h"

namespace celadon::master {

std::string describe(Exit how) {
  if (!how.by_signal) return "exited with status " + std::to_string(how.status);
  return "was killed by " + signal_name(how.status);
}

metrics::Ending ending_of(const WorkerProcess& worker, Exit how) noexcept {
  using metrics::Ending;
  if (worker.why == Why::Stuck) return Ending::Timeout;
  // Somebody else's, whatever it was about to do.
  const bool told = worker.phase == Phase::Retiring &&
                    (how.status == SIGTERM || how.status == SIGQUIT);
  if (how.by_signal && !told && !worker.killed && worker.phase != Phase::Booting) {
    return Ending::Signal;
  }
  switch (worker.why) {
    case Why::Requests: return Ending::Requests;
    case Why::Lifetime: return Ending::Lifetime;
    case Why::Memory: return Ending::Memory;
    case Why::Stubborn: return Ending::Stubborn;
    default: break;
  }
  if (worker.phase == Phase::Booting) return Ending::Boot;
  if (how.by_signal && !told) return Ending::Signal;
  if (!how.by_signal && how.status != 0) return Ending::Failed;
  return worker.why == Why::Reload ? Ending::Reload : Ending::Asked;
}

}  // namespace celadon::master
