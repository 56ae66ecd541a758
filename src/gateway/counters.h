// What bridges count, in memory that others may read.
#pragma once

#include <cstdint>

namespace celadon::gateway {

struct Counters {
  std::uint64_t failed = 0;     // the application raised or broke a rule
  std::uint64_t timed_out = 0;  // request_timeout
  std::uint64_t dropped_headers = 0;
  std::uint64_t websockets = 0;        // accepted
  std::uint64_t websocket_faults = 0;  // that the server failed
  std::uint64_t messages_received = 0;
  std::uint64_t messages_sent = 0;
};

struct Load {
  std::uint64_t websockets = 0;  // open
  // Tasks of ASGI requests: whose answer is not complete, and that go on behind it.
  std::uint64_t tasks_answering = 0;
  std::uint64_t tasks_behind = 0;
};

}  // namespace celadon::gateway
