// Requests that wait for a place with the application, behind max_concurrent_requests.
//
// Some paths go first, such as those of health checks: they pass the others and may use
// a small reserve of places, so that a server that is merely busy looks alive.
#pragma once

#include <cstddef>
#include <string_view>

#include "base/intrusive_list.h"
#include "server/exchange.h"
#include "server/settings.h"

namespace celadon::server {

class Admission {
 public:
  explicit Admission(const Settings& settings) noexcept : settings_(settings) {}

  enum class Verdict : std::uint8_t { Run, Wait, Refuse };
  // What is to be done with a request that is complete, given who is there already.
  [[nodiscard]] Verdict judge(const Exchange& x, std::uint64_t in_flight,
                              std::uint64_t queued) const noexcept;
  void push(Exchange& x) noexcept;
  // The next one that may run now, or null.
  [[nodiscard]] Exchange* pop(std::uint64_t in_flight) noexcept;
  // One that has waited for too long, or null.
  [[nodiscard]] Exchange* pop_overdue(Nanos now) noexcept;
  // When the next one has; kNever: nobody waits, or for ever.
  [[nodiscard]] Nanos due() const noexcept;
  // The request has waited too long already.
  [[nodiscard]] bool is_overdue(const Exchange& x, Nanos now) const noexcept;

 private:
  [[nodiscard]] bool goes_first(const Exchange& x) const noexcept;
  [[nodiscard]] std::size_t reserve() const noexcept;
  [[nodiscard]] Nanos due_of(const Exchange& x) const noexcept;

  const Settings& settings_;
  IntrusiveList<Exchange> first_;
  IntrusiveList<Exchange> others_;
};

}  // namespace celadon::server
