// The hub's runners: how they are made, take one job after another, and are given back.

#include <algorithm>
#include <array>
#include <iterator>

#include "base/memory.h"
#include "green/asyncio_state.h"
#include "green/hub.h"
#include "green/local.h"
#include "green/switch.h"
#include "green/task.h"
#include "py/error.h"

namespace celadon::green {

namespace {
// threading knows it no longer.
void forget_thread(Strand& strand) noexcept {
  const py::Object thread = std::move(strand.thread);
  const py::Object done(
      PyObject_CallMethod(thread.get(), "_celadon_runner_ended", nullptr));
  if (!done) PyErr_WriteUnraisable(thread.get());
}

// As POSIX has it of what a thread keeps, where ends make something new.
constexpr int kLastRounds = 8;

// No other hub has one of that number: by it a threading.local knows whose dict it has.
std::uint64_t next_number() noexcept {
  static std::uint64_t last = 0;
  return ++last;
}
}  // namespace

Strand* Hub::new_runner() noexcept {
  auto strand = std::make_unique<Strand>(*this, next_number());
  strand->greenlet_ = new_greenlet(runner_start_.get(), greenlet_.get());
  if (!strand->greenlet_) return nullptr;
  strand->resume_ = py::Object::copy(strand->greenlet_.get());
  ++stats_->runners_created;
  strands_.push_back(std::move(strand));
  return strands_.back().get();
}

// A job's frames did not fit: this runner gets a larger block, and so do new ones.
void Hub::fit_frames(Strand& strand) noexcept {
  const std::size_t size = strand.frames_.size();
  if (size >= py::DataStack::kMost) return;
  frame_bytes_ = std::min(std::max(frame_bytes_, 2 * size), py::DataStack::kMost);
  strand.frames_.remove();
  strand.frames_.install(frame_bytes_);
}

PyObject* Hub::runner_body(Strand& strand) noexcept {
  strand.frames_.install(frame_bytes_);
  strand.stack_base_ = __builtin_frame_address(0);
  while (!strand.retired_) {
    Job* job = take_job();
    if (job) {
      run_job(strand, *job);
    } else if (!wait_for_job(strand)) {
      break;
    }
    if (forked_child_) end_child();
  }
  leave_nothing(strand);
  end_slice(loop_.fresh_now());
  strand.frames_.remove();
  strand.state_ = Strand::State::Done;
  ++stats_->runners_retired;
  ++done_;
  PyErr_Clear();
  return py::none();
}

// Values of its locals die here, where their finalizers may block. What these leave in
// a local is one more round; where that has no end, others see to the rest.
void Hub::leave_nothing(Strand& strand) noexcept {
  const std::array all{&strand.locals_, &strand.asides_};
  const auto is_left = [&strand] {
    return strand.locals_ || strand.asides_ || strand.thread;
  };
  for (int i = 0; i < kLastRounds && is_left(); ++i) {
    for (py::Object* each : all) {
      if (const py::Object values = std::move(*each)) detach_locals(values.get());
    }
    if (strand.thread) forget_thread(strand);
  }
  for (py::Object* each : all) {
    if (*each) detach_locals(each->get());
    bury(each->release());
  }
}

bool Hub::wait_for_job(Strand& strand) noexcept {
  strand.state_ = Strand::State::Idle;
  strand.resume_ = py::Object::copy(strand.greenlet_.get());
  idle_.push_back(&strand);
  end_slice(loop_.now());
  current_ = nullptr;
  const bool switched = static_cast<bool>(switch_to(greenlet_.get()));
  current_ = &strand;
  strand.state_ = Strand::State::Running;
  return switched;
}

void Hub::run_job(Strand& strand, Job& job) noexcept {
  ++stats_->jobs;
  stamp();
  strand.job_ = &job;
  ++strand.jobs_;
  strand.job_began_ = loop_.now();
  strand.account.begin(strand.job_began_);
  ++load_->greenlets;
  PyObject* wanted = job.context();
  py::Object context = wanted ? py::Object::copy(wanted) : new_context();
  if (!context || PyContext_Enter(context.get()) < 0) {
    PyErr_Clear();
    context.reset();
  }
  job.run(strand);
  strand.job_ = nullptr;
  --load_->greenlets;
  end_task(strand);
  strand.end_alarms();
  // Who has read the clock at its end, and has left nothing, is over since then.
  bool is_over = std::exchange(end_read_, false);
  if (strand.asyncio_loop) {
    forget_asyncio_loop(strand);
    is_over = false;
  }
  strand.set_deadline(kNever);
  strand.forget_pending();
  strand.end_shields();
  strand.exempt_depth_ = 0;
  strand.locks_held_.clear();
  strand.be_known_alone();
  if (strand.call_leftovers()) is_over = false;
  if (!leave_context(std::move(context), wanted != nullptr)) is_over = false;
  strand.end_alarms();  // of what died just now
  if (strand.frames_.outgrown()) fit_frames(strand);
  if (!is_over) loop_.fresh_now();
}

py::Object Hub::new_context() noexcept {
  return spare_context_ ? std::move(spare_context_)
                        : py::Object(PyContext_Copy(base_context_.get()));
}

// False: it held values of its job's, which are dropped now.
bool Hub::leave_context(py::Object context, bool is_wanted) noexcept {
  if (!context) return true;
  const bool is_as_new = !is_wanted && PyObject_Size(context.get()) == base_size_;
  if (PyContext_Exit(context.get()) < 0) {
    PyErr_Clear();
    return false;
  }
  // An empty one that nobody keeps may serve again.
  if (is_as_new && base_size_ == 0 && Py_REFCNT(context.get()) == 1) {
    spare_context_ = std::move(context);
  }
  return is_as_new;
}

void Hub::note_use() noexcept {
  const std::size_t in_use = strands_.size() - idle_.size();
  peak_ = std::max(peak_, in_use);
  if (strands_.size() > kKeptRunners && !decay_.armed()) {
    loop_.arm(decay_, loop_.now() + kDecayPeriod);
  }
}

// Retires idle runners that the last two periods had no use for. The timer runs only
// while there is something to give back, so an idle server is not woken.
void Hub::decay() noexcept {
  const std::size_t in_use = strands_.size() - idle_.size();
  const std::size_t keep = std::max({peak_, last_peak_, kKeptRunners});
  last_peak_ = std::exchange(peak_, in_use);
  std::size_t excess = strands_.size() > keep ? strands_.size() - keep : 0;
  excess = std::min(excess, idle_.size());
  // After a burst all idle ones go: what they hold lies scattered in memory that was
  // taken for it, and a few objects keep whole arenas. New ones are made soon enough.
  if (excess >= kBurst) {
    excess = idle_.size();
    leaving_ += excess;
  }
  for (std::size_t i = 0; i < excess; ++i) {
    // The oldest idle ones: the last used one is the next used one.
    Strand* strand = idle_[i];
    strand->retired_ = true;
    strand->state_ = Strand::State::Ready;
    woken_.push_back(*strand);
  }
  idle_.erase(idle_.begin(), idle_.begin() + static_cast<std::ptrdiff_t>(excess));
  if (excess > 0) {
    spare_context_.reset();
    loop_.give_memory_back();
  }
  if (strands_.size() - excess > kKeptRunners) {
    loop_.arm(decay_, loop_.now() + kDecayPeriod);
  }
}

void Hub::remove_done() noexcept {
  const std::size_t removed = std::exchange(done_, 0);
  // What dies with them may look through the list: they are out of it first.
  const auto ended = std::ranges::stable_partition(
      strands_, [](const std::unique_ptr<Strand>& strand) {
        return strand->state_ != Strand::State::Done;
      });
  const std::vector<std::unique_ptr<Strand>> gone(
      std::make_move_iterator(ended.begin()), std::make_move_iterator(ended.end()));
  strands_.erase(ended.begin(), ended.end());
  if (leaving_ == 0) return;
  left_ += removed;
  if (left_ >= leaving_) settle_burst();
}

// After the last runner of a burst: the interpreter's free lists, which only a full
// collection empties, keep arenas of a great burst.
void Hub::settle_burst() noexcept {
  leaving_ = 0;
  strands_.shrink_to_fit();
  idle_.shrink_to_fit();
  if (std::exchange(left_, 0) >= kGreatBurst && PyGC_IsEnabled()) PyGC_Collect();
  trim_heap();
}

}  // namespace celadon::green
