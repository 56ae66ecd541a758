// What a worker counts, as it lies in its slot of the slab.
#pragma once

#include "gateway/bridge.h"
#include "green/hub.h"
#include "loop/loop.h"
#include "metrics/slab.h"
#include "server/counters.h"
#include "tls/failure.h"

namespace celadon::module {

struct WorkerCounts {
  server::Counters server;
  loop::Counters loop;
  green::HubStats hub;
  gateway::Counters bridge;
  tls::Counters tls;
};
struct WorkerLoad {
  server::Load server;
  green::HubLoad hub;
  gateway::Load bridge;
};
static_assert(sizeof(WorkerCounts) <= sizeof(metrics::CounterRow));
static_assert(sizeof(WorkerLoad) <= sizeof(metrics::GaugeRow));
// What the rooms below know of a slot.
static_assert(offsetof(server::Load, connections) ==
                  metrics::gauge::kConnections * sizeof(std::uint64_t) &&
              offsetof(server::Load, in_flight) ==
                  metrics::gauge::kInFlight * sizeof(std::uint64_t) &&
              offsetof(server::Load, queued) ==
                  metrics::gauge::kQueued * sizeof(std::uint64_t));

}  // namespace celadon::module
