// What the master and all its workers hold together: the slab, and for each slot the
// mailbox by which its worker gets connections from the others.
#pragma once

#include <expected>
#include <memory>
#include <vector>

#include "base/log_ring.h"
#include "base/shared_memory.h"
#include "metrics/slab.h"
#include "net/mailbox.h"

namespace celadon::master {

class Commons {
 public:
  // `ring`: bytes of lines that each worker may leave for its log; 0: none.
  [[nodiscard]] static std::expected<Commons, Error> make(
      std::size_t slots, std::size_t ring = 0, metrics::Slab::Room room = {}) noexcept;

  [[nodiscard]] metrics::Slab& slab() noexcept { return *slab_; }
  [[nodiscard]] metrics::Slot& slot(std::size_t at) noexcept {
    return slab_->slots()[at];
  }
  [[nodiscard]] net::Mailbox& mailbox(std::size_t slot) noexcept {
    return mailboxes_[slot];
  }

  // For lines of the access log; none where there is no such log.
  [[nodiscard]] LogRing ring(std::size_t slot) noexcept;

  // In a worker: reads from the mailbox of its own slot only.
  void settle_in(std::size_t slot) noexcept;
  // In a fork that is neither: leaves the others alone.
  void abandon() noexcept {
    mailboxes_.clear();
    slab_->make_private();
  }

  // A copy of the descriptor goes to the least loaded worker other than `but`. False:
  // nobody takes it.
  [[nodiscard]] bool pass(int fd, const net::Mailbox::Note& note, std::size_t but,
                          Nanos now) noexcept;
  // Connections in the mailbox of a slot that cannot see to them go to others, as far
  // as there are any. All else is for its own worker alone.
  void forward(std::size_t slot, Nanos now) noexcept;

 private:
  std::unique_ptr<metrics::Slab> slab_;
  SharedMemory rings_;
  std::size_t ring_ = 0;
  std::vector<net::Mailbox> mailboxes_;
};

}  // namespace celadon::master
