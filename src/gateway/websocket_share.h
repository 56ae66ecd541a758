// What the WebSockets of one bridge share.
#pragma once

#include "base/log.h"
#include "base/out_queue.h"
#include "gateway/counters.h"
#include "gateway/options.h"
#include "loop/loop.h"
#include "ws/deflation.h"

namespace celadon::gateway {

struct WebSocketShare {
  loop::Loop& loop;
  const WebSocketOptions& options;
  LogSink& log;
  Counters* counters;
  Load* load;
  ws::DeflatePool deflate{options.protocol.deflate.level};
  OutQueue frames{};  // on their way to their connection: it is empty between two calls
};

}  // namespace celadon::gateway
