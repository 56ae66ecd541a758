#include "server/admission.h"

#include <algorithm>

namespace celadon::server {

// Where one request runs at a time there is no place beside it.
std::size_t Admission::reserve() const noexcept {
  const std::size_t limit = settings_.max_concurrent_requests;
  return limit <= 1 ? 0 : std::max<std::size_t>(1, limit / 10);
}

bool Admission::goes_first(const Exchange& x) const noexcept {
  if (settings_.priority_paths.empty()) return false;
  const std::string_view path = x.request().path_text();
  return std::ranges::any_of(settings_.priority_paths, [path](std::string_view each) {
    return each.ends_with('*') ? path.starts_with(each.substr(0, each.size() - 1))
                               : path == each;
  });
}

Admission::Verdict Admission::judge(const Exchange& x, std::uint64_t in_flight,
                                    std::uint64_t queued) const noexcept {
  const std::size_t limit = settings_.max_concurrent_requests;
  if (limit == 0 || in_flight < limit) return Verdict::Run;
  const std::size_t more = goes_first(x) ? reserve() : 0;
  if (in_flight < limit + more) return Verdict::Run;
  return queued < settings_.queue_depth + more ? Verdict::Wait : Verdict::Refuse;
}

void Admission::push(Exchange& x) noexcept {
  (goes_first(x) ? first_ : others_).push_back(x);
}

Exchange* Admission::pop(std::uint64_t in_flight) noexcept {
  const std::size_t limit = settings_.max_concurrent_requests;
  if (!first_.empty() && in_flight < limit + reserve()) return first_.pop_front();
  return !others_.empty() && in_flight < limit ? others_.pop_front() : nullptr;
}

Nanos Admission::due_of(const Exchange& x) const noexcept {
  return x.received_at - x.waited_before + settings_.queue_timeout;
}

bool Admission::is_overdue(const Exchange& x, Nanos now) const noexcept {
  return settings_.queue_timeout != kNever && due_of(x) <= now;
}

Exchange* Admission::pop_overdue(Nanos now) noexcept {
  for (IntrusiveList<Exchange>* list : {&first_, &others_}) {
    Exchange* oldest = list->front();
    if (oldest && is_overdue(*oldest, now)) return list->pop_front();
  }
  return nullptr;
}

Nanos Admission::due() const noexcept {
  Nanos soonest = kNever;
  if (settings_.queue_timeout == kNever) return soonest;
  for (const IntrusiveList<Exchange>* list : {&first_, &others_}) {
    if (const Exchange* oldest = list->front()) {
      soonest = std::min(soonest, due_of(*oldest));
    }
  }
  return soonest;
}

}  // namespace celadon::server
