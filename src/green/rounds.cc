// A hub's rounds: who runs next and for how long, and when the kernel is asked for
// news.

#include <sched.h>

#include <algorithm>
#include <cstring>

#include "green/hub.h"
#include "green/switch.h"
#include "py/error.h"

namespace celadon::green {
namespace {

// For tests: a parked strand's stack lies below the hub's only as a copy elsewhere.
// With the place overwritten, whoever still points there is found out.
[[gnu::noinline]] void poison_vacated_stack() noexcept {
  char area[32 * 1024];
  std::memset(area, 0xDB, sizeof area);
  asm volatile("" : : "r"(area) : "memory");
}

}  // namespace

// --- slices ---

// The end of what ran before is the start of what runs now: the loop's time is that.
void Hub::stamp() noexcept {
  const Nanos now = loop_.now();
  end_slice(now);
  pulse_->store(now, std::memory_order_relaxed);
  loop_.custody().leave(now);
}

// A runner that was only just resumed has done nothing yet.
void Hub::end_slice(Nanos now) noexcept {
  const Nanos began = pulse_->load(std::memory_order_relaxed);
  const Nanos length = now - began;
  if (began == 0 || length <= kMicrosecond) return;
  if (held_.pending()) end_held(began, now);
  pace_.add(length);
  stats_->slices.observe(static_cast<std::uint64_t>(length));
  if (length >= held_after_) stats_->held.observe(static_cast<std::uint64_t>(length));
  pulse_->store(0, std::memory_order_relaxed);
}

// The watchdog has told of it while it lasted.
void Hub::end_held(Nanos began, Nanos now) noexcept {
  if (current_) held_.set_holder(current_->describe());
  std::string line = held_.released(began, now);
  if (line.empty() || !blocking_.watchdog) return;
  blocking_.watchdog->on_released(now - began, std::move(line));
}

void Hub::exempt(Strand& strand) noexcept {
  ++strand.exempt_depth_;
  pulse_->store(0, std::memory_order_relaxed);
}

void Hub::end_exemption(Strand& strand) noexcept {
  if (strand.exempt_depth_ == 0) return;
  --strand.exempt_depth_;
  if (strand.exempt_depth_ > 0) return;
  pulse_->store(loop_.fresh_now(), std::memory_order_relaxed);
}

bool Hub::slice_over() noexcept {
  const Nanos began = slice_started();
  return began != 0 && preempt_after_ != kNever &&
         loop_.fresh_now() - began >= preempt_after_;
}

bool Hub::slice_blocks() noexcept {
  const Nanos began = slice_started();
  return began != 0 && raise_after_ != kNever && began != raised_ &&
         loop_.fresh_now() - began >= raise_after_;
}

void Hub::resume(Strand& strand) noexcept {
  const py::Object target = std::move(strand.resume_);
  strand.state_ = Strand::State::Running;
  current_ = &strand;
  ++stats_->switches;
  stamp();
  if (strand.exempt_depth_ > 0) pulse_->store(0, std::memory_order_relaxed);
  const py::Object result = switch_to(target.get());
  loop_.custody().enter();
  if (poison_) poison_vacated_stack();
  current_ = nullptr;
  pulse_->store(0, std::memory_order_relaxed);
  // A body that ended by an exception has reported it; a stray one must not stay set.
  if (!result && !forked_child_) PyErr_WriteUnraisable(nullptr);
}

// --- rounds ---

void Hub::resume_woken() noexcept {
  // Only those that are ready now: one that yields goes behind new jobs.
  due_.splice_back(woken_);
  int budget = kWakeBudget;
  while (Strand* strand = due_.pop_front()) {
    resume(*strand);
    if (--budget == 0 || loop_.now() > turn_end_) break;
  }
  // Those that did not get their turn stay first.
  due_.splice_back(woken_);
  woken_.splice_back(due_);
}

// Native threads that this one gave work to may be waiting for the interpreter, or for
// this very core: a loop that is never idle would leave them both only when forced to.
void Hub::give_way() noexcept {
  {
    const py::WithoutGil gil;
    ::sched_yield();
  }
  loop_.fresh_now();
}

void Hub::resume_preempted(bool others_worked) noexcept {
  const Nanos now = loop_.fresh_now();
  if (others_worked) turns_.on_work(now);
  if (!turns_.is_due(now)) return;
  resume(*preempted_.pop_front());
  turns_.on_slice_end(loop_.fresh_now(), preempt_after_);
}

PyObject* Hub::hub_body() noexcept {
  while (true) (this->*round_)();
}

void Hub::round() noexcept {
  // Each gets a slice of its own, so that neither starves. Jobs first: what yields is
  // woken at once, and must come behind them.
  const std::uint64_t before = stats_->switches;
  turn_end_ = loop_.now() + kSlice;
  run_jobs();
  turn_end_ = loop_.now() + kSlice;
  resume_woken();
  if (done_ > 0) remove_done();
  loop_.settle();
  if (!preempted_.empty()) resume_preempted(stats_->switches != before);
  const bool busy = !woken_.empty() || !jobs_.empty();
  if (native_calls_run() > 0) give_way();
  // Greenlets that only wake each other need no news from the kernel each time.
  if (busy && loop_.now() < polled_ + kUnpolled) return;
  Nanos longest = busy || !preempted_.empty() ? 0 : kNever;
  if (longest != 0 && is_deserted()) {
    if (has_foreign_threads()) {
      longest = kLookAgain;
    } else {
      interrupt_deserted();
      if (!woken_.empty()) return;
    }
  }
  loop_.turn(longest);
  polled_ = loop_.now();
  check_signals();
}

// Python's own signal handlers run between bytecodes; when all greenlets wait, here.
void Hub::check_signals() noexcept {
  // The main script sees to them itself where it is about to run.
  if (main_->state_ == Strand::State::Ready || PyErr_CheckSignals() == 0) return;
  // As in CPython it is the main script that a handler's exception interrupts.
  main_->interrupt(py::take_error(), this);
}

void Hub::run_jobs() noexcept {
  jobs_left_ = native_calls_run() > 0 ? kJobsBesideNative : kJobBudget;
  while (!jobs_.empty() && jobs_left_ > 0 && loop_.now() <= turn_end_) {
    Strand* runner = nullptr;
    if (idle_.empty()) {
      runner = new_runner();
      if (!runner) {
        PyErr_WriteUnraisable(nullptr);
        return;
      }
    } else {
      runner = idle_.back();
      idle_.pop_back();
    }
    note_use();
    resume(*runner);
  }
}

Job* Hub::take_job() noexcept {
  // What has begun is ended before much else begins.
  if (!woken_.empty()) jobs_left_ = std::min(jobs_left_, kJobsBeforeWoken);
  if (jobs_left_ <= 0 || loop_.now() > turn_end_) return nullptr;
  --jobs_left_;
  return jobs_.pop_front();
}

bool Hub::has_nothing_else() noexcept {
  return woken_.empty() && due_.empty() && jobs_.empty() && preempted_.empty() &&
         done_ == 0 && native_calls_run() == 0 && !exploration_ &&
         loop_.fresh_now() < polled_ + kUnpolled;
}

}  // namespace celadon::green
