#include "loop/custody.h"

#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace celadon::loop {
namespace {

long membarrier(int command) noexcept {
  return ::syscall(SYS_membarrier, command, 0, 0);
}

}  // namespace

Custody::Order Custody::best_order() noexcept {
  return membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) == 0 ? Order::Kernel
                                                                    : Order::Own;
}

// Behind the barrier either the loop's thread sees that it is taken, whenever it comes
// back, or it is here to be seen that it has come back already.
bool Custody::try_take() noexcept {
  if (left_since() == 0) return false;
  if (taken_.exchange(true, std::memory_order_seq_cst)) return false;
  const bool ordered = order_.load(std::memory_order_relaxed) == Order::Own ||
                       membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED) == 0;
  if (ordered && left_.load(std::memory_order_seq_cst) != 0) return true;
  give_back();
  return false;
}

void Custody::give_back() noexcept {
  taken_.store(false, std::memory_order_release);
  taken_.notify_one();
}

void Custody::wait() const noexcept {
  taken_.wait(true, std::memory_order_acquire);
}

}  // namespace celadon::loop
