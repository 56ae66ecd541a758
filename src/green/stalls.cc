#include "green/stalls.h"

#include <algorithm>
#include <vector>

#include "green/hub.h"
#include "green/lock.h"

namespace celadon::green {
namespace {

std::string name_of(const Strand& strand) {
  const std::string what = strand.describe();
  std::string text = "greenlet " + std::to_string(strand.number());
  if (!what.empty()) text += " (" + escape_for_log(what) + ")";
  return text;
}

bool waits_for_a_lock(const Strand& strand) noexcept {
  return strand.state() == Strand::State::Parked && strand.lock &&
         strand.wait_end() == kNever;
}

// The job that took the lock has ended; its runner may have another by now.
bool has_left(const Strand& waiting, const Strand& holder) noexcept {
  return !holder.is_main() &&
         (!holder.job() || holder.jobs() != waiting.lock->owner_job());
}

}  // namespace

// Only where somebody is told: a main script that nobody can wake finds that out by
// itself, and by that no timer runs.
void Stalls::start() noexcept {
  if (!hub_.log()) return;
  hub_.loop().arm(*this, hub_.loop().now() + kLong);
}

void Stalls::on_timer() noexcept {
  if (!hub_.log()) return;
  const Nanos now = hub_.loop().now();
  bool again = false;
  Nanos latest = told_;
  for (const auto& strand : hub_.strands()) {
    if (!waits_for_a_lock(*strand)) continue;
    again = true;
    const Nanos since = strand->account.since();
    if (since <= told_ || since > now - kLong / 2) continue;
    latest = std::max(latest, since);
    report(*strand);
  }
  told_ = latest;
  if (again) start();
}

// Null: another thread, or nobody any more.
const Strand* Stalls::holder_of(const Strand& strand) const noexcept {
  const unsigned long owner = strand.lock->owner();
  const auto found = std::ranges::find_if(hub_.strands(), [owner](const auto& each) {
    return reinterpret_cast<unsigned long>(each.get()) == owner;
  });
  return found == hub_.strands().end() ? nullptr : found->get();
}

// Each waits for a lock of the next, the last for one of the first. Empty: no such.
std::string Stalls::describe_cycle(const Strand& first) const {
  std::vector<const Strand*> path{&first};
  while (true) {
    const Strand& last = *path.back();
    const Strand* next = waits_for_a_lock(last) ? holder_of(last) : nullptr;
    if (!next || has_left(last, *next)) return {};
    if (next == &first) break;
    // Others wait for each other, and this one for them: they are told of.
    if (std::ranges::find(path, next) != path.end()) return {};
    path.push_back(next);
  }
  std::string text;
  for (const Strand* each : path) text += name_of(*each) + " -> ";
  return text + name_of(first);
}

void Stalls::report(const Strand& strand) noexcept {
  const Nanos waited = hub_.loop().now() - strand.account.since();
  const std::string line = name_of(strand) + " waits for a lock for " +
                           std::to_string(waited / kSecond) + " s";
  if (const std::string cycle = describe_cycle(strand); !cycle.empty()) {
    hub_.log()->log(Level::Critical,
                    line + " and will for ever: they wait for each other: " + cycle);
    return;
  }
  const Strand* holder = holder_of(strand);
  if (holder && has_left(strand, *holder)) {
    hub_.log()->log(
        Level::Critical,
        line + " and will for ever: who took it has ended without a release");
    return;
  }
  hub_.log()->log(Level::Warning, line + ", which " +
                                      (holder ? name_of(*holder) : "another thread") +
                                      " holds: `celadon ctl stacks` shows where");
}

}  // namespace celadon::green
