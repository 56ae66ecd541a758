#include "server/heap_keeper.h"

#include <utility>

#include "server/server.h"

namespace celadon::server {

HeapKeeper::HeapKeeper(loop::Loop& loop, const Server& server,
                       void (*trim)() noexcept) noexcept
    : loop_(loop),
      server_(server),
      trim_(trim),
      trimmed_at_(loop.now()),
      looked_at_(loop.now()) {
  loop.add_keeper(*this);
}

// Also of who has sent little, and holds something until it is closed.
std::uint64_t HeapKeeper::moved() const noexcept {
  constexpr std::uint64_t kOfConnection = 1024;
  const Counters& n = server_.counters();
  const std::uint64_t closed = n.accepted + n.taken - server_.load().connections;
  return n.received_bytes + n.sent_bytes + closed * kOfConnection;
}

bool HeapKeeper::keeps_memory() const noexcept {
  return moved() - trimmed_ >= kWorthwhile;
}

void HeapKeeper::give_back_unused() noexcept {
  const Nanos now = loop_.now();
  const std::uint64_t total = loop_.counters().work;
  const std::uint64_t work = total - std::exchange(worked_, total);
  const auto period = static_cast<std::uint64_t>(now - std::exchange(looked_at_, now));
  const bool is_time = work <= period / kQuiet || now - trimmed_at_ >= kLongest;
  if (!keeps_memory() || !is_time || now < not_before_) return;
  trim_();
  trimmed_ = moved();
  trimmed_at_ = loop_.fresh_now();
  not_before_ = trimmed_at_ + (trimmed_at_ - now) * kShare;
}

}  // namespace celadon::server
