// Waits for descriptors that Python owns.
//
// A descriptor is armed for one event per wait, by MOD, or by ADD where the kernel
// knows nothing of it: it may have been closed unseen, and its number used again
// (design §9). Then whoever still waits for the one before hears that it was closed.
// Between waits it stays registered, disarmed: the next wait costs one
// call.
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
  // Interrupted, with an OSError, also where the kernel has no room for the wait.
  [[nodiscard]] Waited wait(Strand& strand, int fd, std::uint8_t events, Nanos deadline,
                            ParkReason reason = ParkReason::Fd) noexcept;
  // Waits for it are waits for a database, until it is closed.
  void mark_database(int fd) noexcept;
  [[nodiscard]] bool anyone() const noexcept;
  void on_fd_claimed(int fd) noexcept override { forget(fd); }
  // Python is about to close it. Any thread, GIL held.
  void on_fd_closing(int fd) noexcept {
    if (!records_.empty()) forget(fd);
  }
  // Likewise all from `first` to `last`.
  void on_fds_closing(int first, int last) noexcept;

 private:
  class Record;
  void forget(int fd) noexcept;

  loop::Loop& loop_;
  std::unordered_map<int, std::unique_ptr<Record>> records_;
};

}  // namespace celadon::green
