#include "sim/poller.h"

#include <algorithm>

#include "sim/memory.h"

namespace celadon::sim {

SimPoller::Watched* SimPoller::find(int fd) noexcept {
  const auto at = std::ranges::find(watched_, fd, &Watched::fd);
  return at == watched_.end() ? nullptr : &*at;
}

std::expected<void, Error> SimPoller::add(int fd, std::uint8_t interest,
                                          loop::IoHandler& handler) noexcept {
  const memory::Outside outside;
  if (!Kernel::is_ours(fd)) return {};
  if (!has_room(fd)) return std::unexpected(Error::NoMemory);
  watched_.push_back({fd, interest, &handler});
  return {};
}

bool SimPoller::has_room(int fd) noexcept {
  Link* link = kernel_.link_of(fd);
  if (!link || moods_.watches == 0) return true;
  const auto watched = std::ranges::count_if(
      watched_, [this](const Watched& each) { return kernel_.link_of(each.fd); });
  link->unwatched = watched >= moods_.watches;
  return !link->unwatched;
}

std::expected<bool, Error> SimPoller::modify(int fd, std::uint8_t interest,
                                             loop::IoHandler& handler) noexcept {
  Watched* watched = find(fd);
  if (!watched) {
    if (auto added = add(fd, interest, handler); !added) {
      return std::unexpected(added.error());
    }
    return true;
  }
  *watched = {fd, interest, &handler};
  return false;
}

void SimPoller::remove(int fd, loop::IoHandler& handler) noexcept {
  forget(handler);
  std::erase_if(watched_, [fd](const Watched& each) { return each.fd == fd; });
}

std::uint8_t SimPoller::ready(const Watched& watched) const noexcept {
  if (watched.disarmed) return 0;
  const std::uint8_t wanted =
      watched.interest & (loop::kRead | loop::kWrite) ? watched.interest : 0;
  return kernel_.readiness(watched.fd) &
         static_cast<std::uint8_t>(wanted | loop::kHangup);
}

bool SimPoller::has_events() const noexcept {
  return std::ranges::any_of(watched_,
                             [this](const Watched& each) { return ready(each) != 0; });
}

int SimPoller::wait(Nanos timeout) noexcept {
  count_ = at_ = 0;
  would_wait_ = timeout;
  if (watched_.empty()) return 0;
  std::size_t from = choices_.below(watched_.size());
  for (std::size_t i = 0; i < watched_.size() && count_ < kBatch; ++i) {
    Watched& each = watched_[from];
    if (++from == watched_.size()) from = 0;
    if (const std::uint8_t r = ready(each)) {
      batch_[static_cast<std::size_t>(count_++)] = {each.handler, r};
      each.disarmed = (each.interest & loop::kOneShot) != 0;
    }
  }
  return count_;
}

}  // namespace celadon::sim
