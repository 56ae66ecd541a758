#include "master/commons.h"

#include <utility>

#include "master/letter_kind.h"
#include "metrics/balance.h"

namespace celadon::master {

namespace {

// Rings lie page by page, so that those of idle workers take no memory.
constexpr std::size_t kPage = 4096;

constexpr std::size_t ring_stride(std::size_t ring) noexcept {
  return (LogRing::footprint(ring) + kPage - 1) / kPage * kPage;
}

}  // namespace

std::expected<Commons, Error> Commons::make(std::size_t slots, std::size_t ring,
                                            metrics::Slab::Room room) noexcept {
  Commons commons;
  commons.ring_ = ring;
  if (ring > 0) {
    commons.rings_ = SharedMemory::make(slots * ring_stride(ring));
    if (!commons.rings_) return std::unexpected(Error::NoMemory);
  }
  commons.slab_ = metrics::Slab::make(slots, room);
  if (!commons.slab_) return std::unexpected(Error::NoMemory);
  for (std::size_t i = 0; i < slots; ++i) {
    auto mailbox = net::Mailbox::make();
    if (!mailbox) return std::unexpected(mailbox.error());
    commons.mailboxes_.push_back(std::move(*mailbox));
  }
  return commons;
}

LogRing Commons::ring(std::size_t at) noexcept {
  if (ring_ == 0) return {};
  return {static_cast<std::byte*>(rings_.get()) + at * ring_stride(ring_), ring_};
}

void Commons::settle_in(std::size_t own) noexcept {
  for (std::size_t i = 0; i < mailboxes_.size(); ++i) {
    if (i != own) mailboxes_[i].close_out();
  }
}

bool Commons::pass(int fd, const net::Mailbox::Note& note, std::size_t but,
                   Nanos now) noexcept {
  const auto to = metrics::least_loaded(*slab_, but, now);
  if (!to) return false;
  // Counted before it is there: the next one to look must know of it.
  std::atomic<std::int64_t>& coming = slot(*to).coming;
  coming.fetch_add(1, std::memory_order_relaxed);
  if (mailboxes_[*to].put(fd, note)) return true;
  coming.fetch_sub(1, std::memory_order_relaxed);
  return false;
}

void Commons::forward(std::size_t from, Nanos now) noexcept {
  net::Mailbox::Note note{};
  std::vector<std::pair<net::OwnedFd, net::Mailbox::Note>> kept;
  while (metrics::least_loaded(*slab_, from, now)) {
    auto letter = mailboxes_[from].take(note);
    if (!letter) {
      slot(from).coming.store(0, std::memory_order_relaxed);
      break;
    }
    if (kind_of(note) != LetterKind::Connection) {
      kept.emplace_back(std::move(*letter), note);
      continue;
    }
    slot(from).coming.fetch_sub(1, std::memory_order_relaxed);
    if (pass(letter->get(), note, from, now)) continue;
    // Back to where it was: later there will be room.
    if (mailboxes_[from].put(letter->get(), note)) {
      slot(from).coming.fetch_add(1, std::memory_order_relaxed);
    }
    break;
  }
  // Who has asked one that is gone sees that its pipe has ended.
  if (slot(from).state.load() == metrics::SlotState::Free) return;
  for (const auto& [fd, order] : kept) {
    static_cast<void>(mailboxes_[from].put(fd.get(), order));
  }
}

}  // namespace celadon::master
