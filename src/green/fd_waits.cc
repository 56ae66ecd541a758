#include "green/fd_waits.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <vector>

#include "green/hub.h"

namespace celadon::green {
namespace {

// HOST:PORT, or the path of a unix socket as far as it fits.
void format_peer(const sockaddr_storage& peer, socklen_t size,
                 std::array<char, 48>& out) noexcept {
  out.fill(0);
  char host[INET6_ADDRSTRLEN] = "";
  if (peer.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(peer);
    ::inet_ntop(AF_INET, &v4.sin_addr, host, sizeof host);
    std::snprintf(out.data(), out.size(), "%.36s:%u", host, ntohs(v4.sin_port));
  } else if (peer.ss_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(peer);
    ::inet_ntop(AF_INET6, &v6.sin6_addr, host, sizeof host);
    std::snprintf(out.data(), out.size(), "[%.36s]:%u", host, ntohs(v6.sin6_port));
  } else if (peer.ss_family == AF_UNIX) {
    const auto& un = reinterpret_cast<const sockaddr_un&>(peer);
    const auto length =
        static_cast<int>(size) - static_cast<int>(offsetof(sockaddr_un, sun_path));
    std::snprintf(out.data(), out.size(), "unix:%.*s", std::max(length, 0),
                  un.sun_path);
  }
}

}  // namespace

class FdWaits::Record final : public loop::IoHandler {
 public:
  Record(loop::Loop& loop, int fd) noexcept : loop_(loop), fd_(fd) {}

  struct Entry {
    Strand* strand;
    std::uint8_t events;
  };
  std::vector<Entry> waiting;  // in order of arrival
  ParkReason reason = ParkReason::Fd;
  bool marked_now = false;  // since it was armed for the last time

  // True: the kernel did not know it. What had the number was closed unseen, and
  // whoever waited before this waits for that.
  [[nodiscard]] std::expected<bool, Error> arm() noexcept {
    std::uint8_t interest = 0;
    for (const Entry& entry : waiting) interest |= entry.events;
    const auto added = loop_.poller().modify(
        fd_, static_cast<std::uint8_t>(interest | loop::kOneShot), *this);
    if (!added) return added;
    if (*added && !marked_now) reason = ParkReason::Fd;
    marked_now = false;
    return added;
  }

  // Grants the first reader and the first writer of what is ready.
  void on_io(std::uint8_t ready) noexcept override {
    if (loop_.late() > kNoticed && (ready & loop::kRead)) note_arrival();
    if (ready & loop::kHangup) ready = loop::kHangup | loop::kRead | loop::kWrite;
    grant_first_for(ready & loop::kRead);
    grant_first_for(ready & loop::kWrite);
    if (waiting.empty()) return;
    const auto added = arm();
    if (!added || *added) grant_all(0);
  }

  void grant_all(std::uint8_t ready) noexcept {
    for (const Entry& entry : std::exchange(waiting, {})) grant(entry, ready);
  }

  // To all but the last one it is as if it had been closed.
  void leave_to_last() noexcept {
    const Entry last = waiting.back();
    waiting.pop_back();
    grant_all(0);
    waiting.push_back(last);
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
  // What came while others ran was not waited for since then (design §9). The kernel
  // counts in its ticks.
  void note_arrival() noexcept {
    tcp_info info{};
    socklen_t size = sizeof info;
    if (::getsockopt(fd_, IPPROTO_TCP, TCP_INFO, &info, &size) < 0) return;
    const Nanos ago = std::min(info.tcpi_last_data_recv * kMillisecond, loop_.late());
    for (const Entry& entry : waiting) {
      if (entry.events & loop::kRead) entry.strand->account.ready(loop_.now() - ago);
    }
  }
  void grant_first_for(int direction) noexcept {
    const auto found = std::ranges::find_if(
        waiting, [=](const Entry& e) { return (e.events & direction) != 0; });
    if (!direction || found == waiting.end()) return;
    const Entry entry = *found;
    waiting.erase(found);
    grant(entry, static_cast<std::uint8_t>(direction));
  }
  static constexpr Nanos kNoticed = kMillisecond;

  loop::Loop& loop_;
  int fd_;
};

namespace {

// Regular files cannot be polled, and a closed one fails when it is used. Where there
// is no room for one more wait, whoever took it to be ready would ask again and again.
bool is_always_ready(int error) noexcept {
  return error != ENOSPC && error != ENOMEM;
}

constexpr Nanos kWorthAName = kMillisecond;

// Whom a wait was for, as far as it took long.
void note_peer(Strand& strand, int fd) noexcept {
  Account::Wait* wait = strand.account.last();
  if (!wait || wait->length < kWorthAName) return;
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  if (::getpeername(fd, reinterpret_cast<sockaddr*>(&storage), &size) < 0) return;
  format_peer(storage, size, wait->peer);
}

}  // namespace

void FdWaits::mark_database(int fd) noexcept {
  auto& slot = records_[fd];
  if (!slot) slot = std::make_unique<Record>(loop_, fd);
  slot->reason = ParkReason::Database;
  slot->marked_now = true;
}

FdWaits::FdWaits(loop::Loop& loop) noexcept : loop_(loop) {}
FdWaits::~FdWaits() = default;

Waited FdWaits::wait(Strand& strand, int fd, std::uint8_t events, Nanos deadline,
                     ParkReason reason) noexcept {
  auto& slot = records_[fd];
  if (!slot) slot = std::make_unique<Record>(loop_, fd);
  Record* record = slot.get();
  record->waiting.push_back({&strand, events});
  strand.granted = false;
  strand.ready = 0;
  const auto added = record->arm();
  if (!added) {
    const int error = errno;
    record->leave(strand);
    if (!is_always_ready(error)) {
      errno = error;
      PyErr_SetFromErrno(PyExc_OSError);
      return Waited::Interrupted;
    }
    strand.ready = events;
    return Waited::Granted;
  }
  if (*added) record->leave_to_last();
  if (reason == ParkReason::Fd) reason = record->reason;
  strand.wanted_fd = fd;
  strand.wanted = events;
  const Waited waited = strand.hub().park(strand, deadline, reason, false);
  strand.wanted_fd = -1;
  note_peer(strand, fd);
  if (waited == Waited::Granted) return waited;  // whoever granted took it off the list
  // Stays armed if nobody else waits: one event without a receiver, at most.
  record->leave(strand);
  return waited;
}

void FdWaits::on_fds_closing(int first, int last) noexcept {
  for (const auto& each : records_) {
    if (first <= each.first && each.first <= last) forget(each.first);
  }
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
  found->second->reason = ParkReason::Fd;
  loop_.poller().remove(fd, *found->second);
}

}  // namespace celadon::green
