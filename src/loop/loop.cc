#include "loop/loop.h"

#include <algorithm>

namespace celadon::loop {
namespace {

constexpr int kFewEvents = 4;

}  // namespace

Loop::Loop(std::unique_ptr<Poller> poller, Clock& clock) noexcept
    : clock_(&clock),
      poller_(std::move(poller)),
      waker_(*poller_),
      now_(clock.now()),
      timers_(now_),
      polled_(now_) {
  timers_.set_lag(&own_counters_.lag);
}

Loop::~Loop() = default;

void Loop::turn(Nanos max_wait) noexcept {
  ++counters_->turns;
  wait_for_events(max_wait);
  const Nanos began = now_;
  IntrusiveList<Again> again;
  again.splice_back(again_);
  const int events = poller_->dispatch();
  // Few events take no time that is worth a look at the clock.
  const bool had_more = tell(again);
  if (run_posted() || had_more || events > kFewEvents) fresh_now();
  const Nanos timers_began = now_;
  counters_->io += static_cast<std::uint64_t>(timers_began - began);
  if (timers_.advance(timers_began) == 0) return;
  counters_->timers += static_cast<std::uint64_t>(fresh_now() - timers_began);
}

void Loop::set_counters(Counters& counters) noexcept {
  counters = *counters_;
  counters_ = &counters;
  timers_.set_lag(&counters.lag);
}

void Loop::keep_counters() noexcept {
  own_counters_ = *counters_;
  counters_ = &own_counters_;
  timers_.set_lag(&own_counters_.lag);
}

void Loop::set_clock(Clock& clock) noexcept {
  const Nanos before = clock_->now();
  clock_ = &clock;
  now_ = polled_ = clock.now();
  timers_.move_to(now_, now_ - before);
}

void Loop::settle() noexcept {
  run_hooks();
  if (!upkeep_.armed() && keeps_memory()) arm(upkeep_, now_ + kKept);
  if (disposed_.empty()) return;
  // A destructor may dispose of more.
  while (!disposed_.empty()) {
    auto batch = std::move(disposed_);
    disposed_.clear();
    batch.clear();
  }
  fresh_now();
}

void Loop::wait_for_events(Nanos timeout) noexcept {
  if (has_posted_.load(std::memory_order_acquire) || !again_.empty()) timeout = 0;
  const Nanos began = now_;
  late_ = began - polled_;
  counters_->work += static_cast<std::uint64_t>(late_);
  if (poller_->wait(0) == 0 && timeout != 0) {
    timeout = std::min(timeout, timers_.next_in(began));
    if (timeout > 0) {
      late_ = 0;
      if (block_hook_) block_hook_->before_block();
      waiting_.store(true, std::memory_order_relaxed);
      [[maybe_unused]] const int n = poller_->wait(timeout);
      waiting_.store(false, std::memory_order_relaxed);
      if (block_hook_) block_hook_->after_block();
    }
  }
  now_ = polled_ = clock_->now();
  counters_->poll += static_cast<std::uint64_t>(now_ - began);
}

void Loop::post(std::unique_ptr<Task> task) noexcept {
  {
    const std::lock_guard lock(mutex_);
    posted_.push_back(std::move(task));
    has_posted_.store(true, std::memory_order_release);
  }
  waker_.wake();
}

// Who asks for it in this turn is told in the one behind.
bool Loop::tell(IntrusiveList<Again>& again) noexcept {
  if (again.empty()) return false;
  while (Again* who = again.pop_front()) who->on_again();
  return true;
}

bool Loop::run_posted() noexcept {
  if (!has_posted_.load(std::memory_order_acquire)) return false;
  std::vector<std::unique_ptr<Task>> batch;
  {
    const std::lock_guard lock(mutex_);
    batch.swap(posted_);
    has_posted_.store(false, std::memory_order_relaxed);
  }
  for (auto& task : batch) task->run();
  return true;
}

void Loop::run_hooks() noexcept {
  for (TurnHook* hook = hooks_.front(); hook;) {
    TurnHook* next = hooks_.next(*hook);
    hook->on_turn_end();
    hook = next;
  }
}

bool Loop::keeps_memory() const noexcept {
  for (Keeper* k = keepers_.front(); k; k = keepers_.next(*k)) {
    if (k->keeps_memory()) return true;
  }
  return false;
}

void Loop::give_back_unused() noexcept {
  for (Keeper* k = keepers_.front(); k; k = keepers_.next(*k)) k->give_back_unused();
}

void Loop::give_memory_back() noexcept {
  for (Keeper* k = keepers_.front(); k; k = keepers_.next(*k)) k->give_back_all();
}

void Loop::dispose(std::unique_ptr<Disposable> item) noexcept {
  disposed_.push_back(std::move(item));
}

void Loop::abandon() noexcept {
  waker_.abandon();
  poller_->abandon();
}

}  // namespace celadon::loop
