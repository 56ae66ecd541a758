// What a conversation has queued, for tests and fuzzing.
#pragma once

#include <sys/uio.h>

#include <array>
#include <string>

#include "base/out_queue.h"

namespace celadon::ws::model {

// All that is queued, as it would be sent.
inline std::string drain(OutQueue& queue) {
  std::string out;
  std::array<iovec, 16> pieces{};
  while (!queue.empty()) {
    const std::size_t count = queue.gather(pieces);
    std::size_t size = 0;
    for (std::size_t i = 0; i < count; ++i) {
      out.append(static_cast<const char*>(pieces[i].iov_base), pieces[i].iov_len);
      size += pieces[i].iov_len;
    }
    queue.consume(size);
  }
  return out;
}

}  // namespace celadon::ws::model
