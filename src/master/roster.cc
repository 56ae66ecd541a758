#include "master/roster.h"

#include <algorithm>
#include <csignal>
#include <utility>

namespace celadon::master {
namespace {

using Kind = Step::Kind;

// A worker's own doing, as opposed to a kill from outside.
bool is_own_doing(Exit how) noexcept {
  if (!how.by_signal) return true;
  switch (how.status) {
    case SIGSEGV:
    case SIGABRT:
    case SIGBUS:
    case SIGFPE:
    case SIGILL: return true;
    default: return false;
  }
}

}  // namespace

// --- what has happened ---

void Roster::spawned(pid_t pid, int slot, Nanos now) {
  WorkerProcess worker{.pid = pid,
                       .slot = slot,
                       .generation = generation_,
                       .phase = Phase::Booting,
                       .spawned_at = now};
  if (limits_.startup_timeout > 0) worker.kill_at = now + limits_.startup_timeout;
  if (limits_.max_lifetime > 0) {
    std::uniform_int_distribution<Nanos> jitter(0, limits_.max_lifetime_jitter);
    worker.recycle_at = now + limits_.max_lifetime + jitter(random_);
  }
  workers_.push_back(worker);
}

// While a reload goes on that is its failure; else it is tried again.
void Roster::not_spawned(int slot, Nanos now) noexcept {
  pause_slot(slot, now);
  if (reload_is_open_) give_up_reload();
}

bool Roster::ready(pid_t pid) noexcept {
  WorkerProcess* worker = find(pid);
  if (!worker) return false;
  if (!std::exchange(ever_ready_, true)) {
    // Those that have failed before it: it need not be the application's fault.
    for (Slot& slot : slots_) {
      if (slot.not_before == kNever) slot.not_before = 0;
    }
  }
  if (worker->phase != Phase::Booting) return true;
  worker->phase = Phase::Ready;
  worker->kill_at = kNever;
  return true;
}

Ended Roster::ended(pid_t pid, Exit how, Nanos now) noexcept {
  const WorkerProcess* found = find(pid);
  if (!found) return Ended::Unknown;
  const WorkerProcess worker = *found;
  std::erase_if(workers_, [pid](const WorkerProcess& w) { return w.pid == pid; });
  if (worker.phase == Phase::Retiring || stopping_) return Ended::Planned;
  if (worker.phase == Phase::Booting && !ever_ready_) {
    slot_at(worker.slot).not_before = kNever;  // until another one is ready
    const bool is_last = std::ranges::none_of(
        workers_, [](const WorkerProcess& w) { return w.phase == Phase::Booting; });
    return is_last ? Ended::BootFailed : Ended::Lost;
  }
  note_end(worker, how, now);
  return Ended::Lost;
}

void Roster::stopped(pid_t pid, Nanos now) noexcept {
  if (WorkerProcess* worker = find(pid)) worker->stopped_at = now;
}

void Roster::continued(pid_t pid) noexcept {
  if (WorkerProcess* worker = find(pid)) worker->stopped_at = 0;
}

bool Roster::recycle(pid_t pid, Why why) noexcept {
  WorkerProcess* worker = find(pid);
  if (!worker || worker->phase != Phase::Ready || worker->generation != generation_ ||
      stopping_)
    return false;
  worker->generation = generation_ - 1;
  worker->why = why;
  return true;
}

void Roster::retire_now(pid_t pid, Nanos grace, Nanos now) noexcept {
  WorkerProcess* worker = find(pid);
  if (!worker || worker->phase == Phase::Retiring) return;
  worker->phase = Phase::Retiring;
  worker->why = Why::Memory;
  worker->kill_at = now + grace;
}

void Roster::doom(pid_t pid, Nanos now) noexcept {
  WorkerProcess* worker = find(pid);
  if (!worker) return;
  worker->doomed = true;
  worker->why = Why::Stuck;
  worker->kill_at = std::min(worker->kill_at, now + kQuick);
}

void Roster::note_end(const WorkerProcess& worker, Exit how, Nanos now) noexcept {
  if (worker.phase == Phase::Booting) {
    pause_slot(worker.slot, now);
    // What was taken back is tried until it serves again: nothing else is left.
    if (worker.generation == generation_ && !undoing_) give_up_reload();
    return;
  }
  Slot& slot = slot_at(worker.slot);
  if (now - worker.spawned_at >= kHealthy) slot = {};
  if (!is_own_doing(how)) return;
  if (++slot.short_lives >= kShortLives) pause_slot(worker.slot, now);
}

void Roster::pause_slot(int number, Nanos now) noexcept {
  Slot& slot = slot_at(number);
  const Nanos longer = slot.pause == 0 ? limits_.backoff : 2 * slot.pause;
  slot.pause = std::min(longer, limits_.backoff_max);
  slot.not_before = now + slot.pause;
}

// --- what is wanted ---

void Roster::reload() noexcept {
  ++generation_;
  failed_reload_ = undoing_ = false;
  reload_is_open_ = true;
  std::ranges::fill(slots_, Slot{});
}

bool Roster::reloading() const noexcept {
  return serving(false, false) > 0;
}

// The old ones are as good as new: nothing has to replace them. What a reload has made
// has settings that are none any more.
void Roster::give_up_reload() noexcept {
  if (!reloading() && !reload_is_open_) return;
  failed_reload_ = true;
  undoing_ = std::exchange(reload_is_open_, false);
  const unsigned failed = generation_;
  if (undoing_) ++generation_;
  for (WorkerProcess& worker : workers_) {
    const bool is_undone = undoing_ && worker.generation == failed;
    if (worker.phase == Phase::Retiring || is_undone) continue;
    worker.generation = generation_;
    worker.why = Why::Unasked;
  }
}

bool Roster::take_failed_reload() noexcept {
  return std::exchange(failed_reload_, false);
}

void Roster::stop(Nanos now) noexcept {
  if (!std::exchange(stopping_, true)) return;
  for (WorkerProcess& worker : workers_) {
    worker.kill_at = std::min(worker.kill_at, now + kQuick);
  }
}

// --- what to do ---

Step Roster::next(Nanos now) noexcept {
  if (const Step step = kill_overdue(now); step.kind != Kind::Nothing) return step;
  if (settled()) reload_is_open_ = undoing_ = false;
  recycle_aged(now);
  if (stopping_) {
    WorkerProcess* any = oldest(false);
    if (!any) any = oldest(true);
    return any ? retire(*any, now) : Step{};
  }
  for (WorkerProcess& worker : workers_) {
    // An old one that still boots serves nobody, and is not wanted any more.
    const bool old = worker.generation != generation_;
    if (old && worker.phase == Phase::Booting) return retire(worker, now);
  }
  const int old = serving(false, true);
  if (old > 0 && serving(true, true) + old > wanted_)
    return retire(*oldest(false), now);
  if (serving(true, false) > wanted_) return retire(surplus(), now);
  return missing() > 0 ? spawn_one(now) : Step{};
}

Step Roster::kill_overdue(Nanos now) noexcept {
  for (WorkerProcess& worker : workers_) {
    if (worker.killed || worker.kill_at > now) continue;
    worker.killed = true;
    return {Kind::Kill, worker.pid, worker.slot};
  }
  return {};
}

void Roster::recycle_aged(Nanos now) noexcept {
  for (WorkerProcess& worker : workers_) {
    if (worker.recycle_at > now || worker.phase == Phase::Booting) continue;
    worker.recycle_at = kNever;
    recycle(worker.pid, Why::Lifetime);
  }
}

Step Roster::retire(WorkerProcess& worker, Nanos now) noexcept {
  worker.phase = Phase::Retiring;
  if (worker.why == Why::Unasked) {
    const bool is_old = worker.generation != generation_ && !stopping_;
    worker.why = is_old ? Why::Reload : Why::Fewer;
  }
  const Nanos grace = limits_.graceful_timeout;
  worker.kill_at = grace > 0 ? now + grace + kBesideGrace : kNever;
  return {Kind::Retire, worker.pid, worker.slot};
}

// Beside old ones only a few more than wanted, since memory may not do for all.
int Roster::missing() const noexcept {
  const int fresh = serving(true, false);
  const int old = serving(false, false);
  const int room = wanted_ + (old > 0 ? limits_.reload_surge : 0) - fresh - old;
  return std::min(wanted_ - fresh, room);
}

Step Roster::spawn_one(Nanos now) noexcept {
  int candidates = missing();
  for (int slot = 0; candidates > 0; ++slot) {
    if (is_slot_used(slot)) continue;
    if (static_cast<std::size_t>(slot) >= limits_.slots) break;
    if (slot_at(slot).not_before <= now) return {Kind::Spawn, 0, slot};
    --candidates;
  }
  return {};
}

Nanos Roster::due() const noexcept {
  Nanos due = kNever;
  for (const WorkerProcess& worker : workers_) {
    if (!worker.killed) due = std::min(due, worker.kill_at);
    if (worker.phase == Phase::Ready) due = std::min(due, worker.recycle_at);
  }
  if (stopping_) return due;
  int candidates = missing();
  for (int slot = 0; candidates > 0; ++slot) {
    if (is_slot_used(slot)) continue;
    const auto at = static_cast<std::size_t>(slot);
    if (at >= limits_.slots) break;
    due = std::min(due, at < slots_.size() ? slots_[at].not_before : 0);
    --candidates;
  }
  return due;
}

// --- who is there ---

WorkerProcess* Roster::find(pid_t pid) noexcept {
  const auto found = std::ranges::find(workers_, pid, &WorkerProcess::pid);
  return found == workers_.end() ? nullptr : &*found;
}

const WorkerProcess* Roster::worker(pid_t pid) const noexcept {
  const auto found = std::ranges::find(workers_, pid, &WorkerProcess::pid);
  return found == workers_.end() ? nullptr : &*found;
}

int Roster::slot_of(pid_t pid) const noexcept {
  const auto found = std::ranges::find(workers_, pid, &WorkerProcess::pid);
  return found == workers_.end() ? 0 : found->slot;
}

int Roster::serving(bool current, bool only_ready) const noexcept {
  return static_cast<int>(std::ranges::count_if(workers_, [&](const WorkerProcess& w) {
    return (w.generation == generation_) == current && w.phase != Phase::Retiring &&
           (!only_ready || w.phase == Phase::Ready);
  }));
}

WorkerProcess* Roster::oldest(bool current) noexcept {
  const auto found = std::ranges::find_if(workers_, [&](const WorkerProcess& w) {
    return (w.generation == generation_) == current && w.phase != Phase::Retiring;
  });
  return found == workers_.end() ? nullptr : &*found;
}

// One that still boots serves nobody; of the others the oldest.
WorkerProcess& Roster::surplus() noexcept {
  for (WorkerProcess& worker : workers_) {
    if (worker.generation == generation_ && worker.phase == Phase::Booting)
      return worker;
  }
  return *oldest(true);
}

bool Roster::is_slot_used(int slot) const noexcept {
  return std::ranges::find(workers_, slot, &WorkerProcess::slot) != workers_.end();
}

Roster::Slot& Roster::slot_at(int slot) {
  const auto at = static_cast<std::size_t>(slot);
  if (at >= slots_.size()) slots_.resize(at + 1);
  return slots_[at];
}

}  // namespace celadon::master
