// Waits for descriptors that Python owns. They are registered for one event at a time:
// such a descriptor may be closed unseen, and its number used again (design §9).
#pragma once

#include <memory>
#include <unordered_map>

#include "green/waiter.h"
#include "loop/loop.h"

namespace celadon::green {

class Strand;

class FdWaits final : public loop::FdClaims {
 public:
  explicit FdWaits(loop::Loop& loop) noexcept;
  ~FdWaits() override;

  // Parks `strand` until `fd` is ready for `events` (loop::kRead, loop::kWrite).
  // Granted: strand.ready tells for what; 0 means that the descriptor was closed.
  [[nodiscard]] Waited wait(Strand& strand, int fd, std::uint8_t events,
                            Nanos deadline) noexcept;
  void on_fd_claimed(int fd) noexcept override;

 private:
  class Record;
  loop::Loop& loop_;
  std::unordered_map<int, std::unique_ptr<Record>> records_;
};

}  // namespace celadon::green
