#include "green/fd_waits.h"

#include <algorithm>
#include <vector>

#include "green/hub.h"

namespace celadon::green {

class FdWaits::Record final : public loop::IoHandler {
 public:
  Record(loop::Loop& loop, int fd) noexcept : loop_(loop), fd_(fd) {}

  struct Entry {
    Strand* strand;
    std::uint8_t events;
  };
  std::vector<Entry> waiting;  // in order of arrival

  [[nodiscard]] std::expected<void, Error> arm() noexcept {
    std::uint8_t interest = 0;
    for (const Entry& entry : waiting) interest |= entry.events;
    return loop_.poller().modify(
        fd_, static_cast<std::uint8_t>(interest | loop::kOneShot), *this);
  }

  // Grants the first reader and the first writer of what is ready.
  void on_io(std::uint8_t ready) noexcept override {
    if (ready & loop::kHangup) ready = loop::kHangup | loop::kRead | loop::kWrite;
    grant_first_for(ready & loop::kRead);
    grant_first_for(ready & loop::kWrite);
    if (!waiting.empty() && !arm()) grant_all(0);
  }

  void grant_all(std::uint8_t ready) noexcept {
    for (const Entry& entry : std::exchange(waiting, {})) grant(entry, ready);
  }

  void leave(const Strand& strand) noexcept {
    std::erase_if(waiting, [&](const Entry& e) { return e.strand == &strand; });
  }

 private:
  static void grant(const Entry& entry, std::uint8_t ready) noexcept {
    entry.strand->ready = ready;
    entry.strand->granted = true;
    entry.strand->wake();
  }
  void grant_first_for(int direction) noexcept {
    const auto found = std::ranges::find_if(
        waiting, [=](const Entry& e) { return (e.events & direction) != 0; });
    if (!direction || found == waiting.end()) return;
    const Entry entry = *found;
    waiting.erase(found);
    grant(entry, static_cast<std::uint8_t>(direction));
  }
  loop::Loop& loop_;
  int fd_;
};

FdWaits::FdWaits(loop::Loop& loop) noexcept : loop_(loop) {}
FdWaits::~FdWaits() = default;

Waited FdWaits::wait(Strand& strand, int fd, std::uint8_t events,
                     Nanos deadline) noexcept {
  auto& slot = records_[fd];
  if (!slot) slot = std::make_unique<Record>(loop_, fd);
  Record* record = slot.get();
  record->waiting.push_back({&strand, events});
  strand.granted = false;
  strand.ready = 0;
  if (!record->arm()) {
    // Regular files cannot be polled, and are always ready; a closed one fails later.
    record->leave(strand);
    strand.ready = events;
    return Waited::Granted;
  }
  const Waited waited = strand.hub().park(strand, deadline, ParkReason::Fd, false);
  if (waited == Waited::Granted) return waited;  // whoever granted took it off the list
  // Stays armed if nobody else waits: one event without a receiver, at most.
  record->leave(strand);
  return waited;
}

FdWaits::Wanted FdWaits::wanted_by(const Strand& strand) const noexcept {
  for (const auto& [fd, record] : records_) {
    for (const Record::Entry& entry : record->waiting) {
      if (entry.strand == &strand) return {fd, entry.events};
    }
  }
  return {-1, 0};
}

bool FdWaits::anyone() const noexcept {
  return std::ranges::any_of(
      records_, [](const auto& each) { return !each.second->waiting.empty(); });
}

// The record itself stays: the kernel may still name it, where a forked child keeps
// open what was closed here unseen.
void FdWaits::forget(int fd) noexcept {
  const auto found = records_.find(fd);
  if (found == records_.end()) return;
  found->second->grant_all(0);
  loop_.poller().remove(fd, *found->second);
}

}  // namespace celadon::green
