#include "green/hub.h"

#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <cstring>

#include "base/assert.h"
#include "green/asyncio_state.h"
#include "green/cxx_state.h"
#include "green/switch.h"
#include "green/thread_bound.h"
#include "py/error.h"
#include "py/stack_chunks.h"

namespace celadon::green {
namespace {

// Initial-exec: one load instead of a call, on a path taken for every lock.
__attribute__((tls_model("initial-exec"))) thread_local Hub* hub_of_thread = nullptr;
thread_local bool thread_ends = false;  // its greenlets have been left
__attribute__((tls_model("initial-exec"))) thread_local bool collecting = false;
__attribute__((tls_model("initial-exec"))) thread_local int no_switch_depth = 0;

// Calls that run on native threads of ours; guarded by the GIL.
int native_calls = 0;

// All hubs of this process, guarded by the GIL.
std::vector<Hub*>& hubs() noexcept {
  static std::vector<Hub*> all;
  return all;
}

// A child must not come to be while another thread is at what is the loop's.
Nanos left_before_fork = 0;
void before_fork() noexcept {
  if (hub_of_thread) left_before_fork = hub_of_thread->loop().custody().enter();
}
void after_fork_in_parent() noexcept {
  if (left_before_fork == 0) return;
  hub_of_thread->loop().custody().leave(std::exchange(left_before_fork, 0));
}

// Set in the child before any Python hook runs there: to those the forking greenlet is
// the main thread already.
Hub* hub_left_by_fork = nullptr;
void leave_hub_in_child() noexcept {
  left_before_fork = 0;
  hub_left_by_fork = hub_of_thread;
  hub_of_thread = nullptr;
  native_calls = 0;  // their threads are the parent's
  // Their pollers are the parent's, whichever thread forked.
  hubs().clear();
}

constexpr const char* kHubKey = "celadon.hub";

void on_thread_end(PyObject* capsule) noexcept {
  auto* hub = static_cast<Hub*>(PyCapsule_GetPointer(capsule, kHubKey));
  // Of others, at the end of the process, nobody knows whether they still run.
  if (hub == hub_of_thread) hub->leave_thread();
}

// What the thread keeps goes when it ends. The first one's end is that of the process.
bool end_with_thread(Hub* hub) noexcept {
  if (::gettid() == ::getpid()) return true;
  PyObject* state = PyThreadState_GetDict();
  const py::Object capsule(PyCapsule_New(hub, kHubKey, on_thread_end));
  return state && capsule && PyDict_SetItemString(state, kHubKey, capsule.get()) == 0;
}

// Of this thread, where its first frames are.
const void* end_of_stack() noexcept {
  pthread_attr_t attributes;
  void* start = nullptr;
  std::size_t size = 0;
  if (::pthread_getattr_np(::pthread_self(), &attributes) != 0) return nullptr;
  ::pthread_attr_getstack(&attributes, &start, &size);
  ::pthread_attr_destroy(&attributes);
  return static_cast<char*>(start) + size;
}

// What a greenlet begins with. The hub says whose it is, so that one function serves
// all runners.
PyObject* enter_hub(PyObject*, PyObject*) noexcept {
  return hub_of_thread->hub_body();
}
PyObject* enter_runner(PyObject*, PyObject*) noexcept {
  return hub_of_thread->runner_body(*hub_of_thread->current());
}
// For tests: a parked strand's stack lies below the hub's only as a copy elsewhere.
// With the place overwritten, whoever still points there is found out.
[[gnu::noinline]] void poison_vacated_stack() noexcept {
  char area[32 * 1024];
  std::memset(area, 0xDB, sizeof area);
  asm volatile("" : : "r"(area) : "memory");
}

PyMethodDef enter_hub_def{"celadon_hub", enter_hub, METH_NOARGS, nullptr};
PyMethodDef enter_runner_def{"celadon_runner", enter_runner, METH_NOARGS, nullptr};

}  // namespace

Exceptions& exceptions() noexcept {
  static Exceptions instance;
  return instance;
}

Hub* Hub::here() noexcept {
  return hub_of_thread;
}
const std::vector<Hub*>& Hub::all() noexcept {
  return hubs();
}
Hub* Hub::left_by_fork() noexcept {
  return hub_left_by_fork;
}

Strand* current_strand() noexcept {
  return hub_of_thread ? hub_of_thread->current() : nullptr;
}

bool can_park() noexcept {
  const Hub* hub = hub_of_thread;
  return hub && hub->current() && !collecting && no_switch_depth == 0 &&
         !hub->forked_child() && !is_below_thread_bound(hub->current()->stack_base());
}

void enter_native_call() noexcept {
  ++native_calls;
}
void leave_native_call() noexcept {
  --native_calls;
}

int native_calls_run() noexcept {
  return native_calls;
}

void set_collecting(bool on) noexcept {
  collecting = on;
}
void enter_no_switch() noexcept {
  ++no_switch_depth;
}
void leave_no_switch() noexcept {
  --no_switch_depth;
}

unsigned long current_ident() noexcept {
  const Strand* strand = current_strand();
  // Addresses of records and of thread blocks never coincide.
  return strand && !strand->is_main() ? reinterpret_cast<unsigned long>(strand)
                                      : PyThread_get_thread_ident();
}

Hub::Hub() noexcept
    : loop_(loop::make_epoll_poller(), clock_),
      pool_(loop_, 4),
      thread_id_(PyThread_get_thread_ident()),
      poison_(std::getenv("CELADON_POISON_STACK") != nullptr) {
  blocking_.stats = stats_;
  loop_.set_block_hook(&blocking_);
  loop_.set_fd_claims(&fd_waits_);
}

Hub* Hub::create() noexcept {
  if (hub_of_thread) return hub_of_thread;
  if (thread_ends) {
    PyErr_SetString(PyExc_RuntimeError,
                    "a thread that ends runs no greenlets any more");
    return nullptr;
  }
  [[maybe_unused]] static const int registered =
      ::pthread_atfork(before_fork, after_fork_in_parent, leave_hub_in_child);
  // Never freed: parked greenlets may be resumed until the process ends.
  auto* hub = new Hub();
  if (!hub->start() || !end_with_thread(hub)) {
    delete hub;
    return nullptr;
  }
  hubs().push_back(hub);
  return hub_of_thread = hub;
}

void Hub::leave_thread() noexcept {
  std::erase(hubs(), this);
  hub_of_thread = nullptr;
  thread_ends = true;
  // What is released or put somewhere goes to those who can still take it.
  for (const auto& strand : strands_) {
    if (!strand->granted) strand->Waiter::unlink();
  }
  // Who wakes one of its greenlets writes to nothing; threads of the pool would, too.
  if (!pool_.busy()) loop_.abandon();
}

std::size_t Hub::unfinished() const noexcept {
  std::size_t count = 0;
  for (Job* job = jobs_.front(); job; job = jobs_.next(*job)) ++count;
  return count + static_cast<std::size_t>(std::ranges::count_if(
                     strands_, [](const auto& each) { return each->job(); }));
}

void Hub::on_fd_closing(int fd) noexcept {
  for (Hub* hub : hubs()) hub->fd_waits_.on_fd_closing(fd);
}

void Hub::on_fds_closing(int first, int last) noexcept {
  for (Hub* hub : hubs()) hub->fd_waits_.on_fds_closing(first, last);
}

bool Hub::start() noexcept {
  py::keep_stack_chunks();
  main_ = std::make_unique<Strand>(*this, 0);
  main_->stack_base_ = end_of_stack();
  look_at_loaded();
  main_->greenlet_ = current_greenlet();
  const py::Object body(PyCFunction_New(&enter_hub_def, nullptr));
  runner_start_.reset(PyCFunction_New(&enter_runner_def, nullptr));
  if (!main_->greenlet_ || !body || !runner_start_) return false;
  greenlet_ = new_greenlet(body.get(), main_->greenlet_.get());
  py::Object context(PyContext_CopyCurrent());
  if (!greenlet_ || !context) return false;
  set_base_context(std::move(context));
  current_ = main_.get();
  return true;
}

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
  if (current_ && current_->job()) {
    std::string who = current_->job()->describe();
    if (!who.empty()) held_.set_holder(std::move(who));
  }
  std::string line = held_.released(began, now);
  if (line.empty() || !blocking_.watchdog) return;
  blocking_.watchdog->on_released(now - began, std::move(line));
}

void Hub::set_cells(HubStats& stats, HubLoad& load) noexcept {
  stats = *stats_;
  load = *load_;
  stats_ = blocking_.stats = &stats;
  load_ = &load;
}

void Hub::keep_cells() noexcept {
  own_stats_ = *stats_;
  own_load_ = *load_;
  stats_ = blocking_.stats = &own_stats_;
  load_ = &own_load_;
}

void Hub::Blocking::before_block() noexcept {
  resting_.store(true, std::memory_order_seq_cst);
  alone_ = py::is_only_thread();
  gil_.before_block();
}

void Hub::Blocking::after_block() noexcept {
  resting_.store(false, std::memory_order_seq_cst);
  if (watchdog) watchdog->on_work();
  if (alone_) return gil_.after_block();  // nobody has it
  const Nanos asked = monotonic_now();
  gil_.after_block();
  stats->gil_wait += static_cast<std::uint64_t>(monotonic_now() - asked);
}

void Hub::count_as(Strand& strand, Spent kind) noexcept {
  const auto cell = [this](Spent of) -> std::uint64_t& {
    return of == Spent::Ready ? load_->ready
                              : load_->parked[static_cast<std::size_t>(of)];
  };
  if (strand.counted_ != Spent::Running) --cell(strand.counted_);
  strand.counted_ = kind;
  if (kind != Spent::Running) ++cell(kind);
}

void Hub::set_parked(Strand& strand, ParkReason reason) noexcept {
  const Nanos now = loop_.fresh_now();
  end_slice(now);
  strand.reason_ = reason;
  strand.state_ = Strand::State::Parked;
  strand.account.park(spent_on(reason), now);
  if (!strand.is_main()) count_as(strand, spent_on(reason));
}

void Hub::set_ready(Strand& strand, Nanos since) noexcept {
  strand.state_ = Strand::State::Ready;
  strand.account.ready(since);
  if (!strand.is_main()) count_as(strand, Spent::Ready);
}

// Also when something else than the hub switched to it.
void Hub::set_running(Strand& strand) noexcept {
  current_ = &strand;
  strand.state_ = Strand::State::Running;
  strand.account.run(loop_.now());
  count_as(strand, Spent::Running);
  strand.ListHook<ReadyTag>::unlink();
}

void Hub::make_ready(Strand& strand) noexcept {
  if (strand.state_ != Strand::State::Parked) return;
  const bool here = PyThread_get_thread_ident() == thread_id_;
  // In the loop's callbacks the time is that of the poll.
  set_ready(strand, here && !current_ ? loop_.now() : loop_.clock().now());
  woken_.push_back(strand);
  if (!here) loop_.wake();
}

// Until something switches back. False: an exception was thrown in.
bool Hub::leave_for_hub(Strand& strand) noexcept {
  const AsyncioAside aside(strand);
  const CxxAside caught;
  strand.resume_ = current_greenlet();
  current_ = nullptr;
  return static_cast<bool>(switch_to(greenlet_.get()));
}

Waited Hub::park(Strand& strand, Nanos deadline, ParkReason reason,
                 bool shielded) noexcept {
  ASSERT(current_ == &strand, "parked from outside");
  strand.no_delivery_ = shielded;
  if (strand.raise_pending()) {
    strand.Waiter::unlink();
    return Waited::Interrupted;
  }
  if (deadline != kNever) {
    loop_.arm(strand.wait_alarm_, deadline);
  } else if (reason == ParkReason::Lock) {
    stalls_.on_wait();
  }
  const Waited waited = wait_parked(strand, deadline, reason);
  strand.no_delivery_ = false;
  strand.Waiter::unlink();
  strand.wait_alarm_.cancel();
  return waited;
}

Waited Hub::wait_parked(Strand& strand, Nanos deadline, ParkReason reason) noexcept {
  while (true) {
    set_parked(strand, reason);
    const bool switched = leave_for_hub(strand);
    set_running(strand);
    if (strand.granted) {
      // What somebody threw in comes at the next wait: it has what it waited for.
      if (!switched) strand.interrupt(py::take_error(), nullptr);
      return Waited::Granted;
    }
    if (!switched || strand.raise_pending()) return Waited::Interrupted;
    if (deadline != kNever && !strand.wait_alarm_.armed()) return Waited::TimedOut;
    // What it was woken for was taken back meanwhile.
  }
}

// Ready at once, behind others.
void Hub::stand_aside(Strand& strand, ReadyList& list) noexcept {
  const Nanos now = loop_.fresh_now();
  end_slice(now);
  set_ready(strand, now);
  list.push_back(strand);
}

Waited Hub::yield_now(Strand& strand) noexcept {
  strand.granted = false;
  strand.no_delivery_ = false;
  if (strand.raise_pending()) return Waited::Interrupted;
  stand_aside(strand, woken_);
  const bool switched = leave_for_hub(strand);
  set_running(strand);
  if (!switched || strand.raise_pending()) return Waited::Interrupted;
  return Waited::Granted;
}

bool Hub::has_nothing_else() noexcept {
  return woken_.empty() && due_.empty() && jobs_.empty() && preempted_.empty() &&
         done_ == 0 && native_calls == 0 && !exploration_ &&
         loop_.fresh_now() < polled_ + kUnpolled;
}

bool Hub::preempt(Strand& strand) noexcept {
  ++stats_->preemptions;
  stand_aside(strand, preempted_);
  const bool switched = leave_for_hub(strand);
  set_running(strand);
  return switched;
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

void Hub::watch(const WatchLimits& limits) {
  unwatch();
  if (!limits.any()) return;
  held_after_ = limits.report;
  auto watchdog = std::make_unique<Watchdog>(*this, limits);
  if (!watchdog->start()) return;
  if (limits.raises()) raise_after_ = limits.raise;
  if (limits.preempts()) preempt_after_ = limits.preempt_at();
  blocking_.watchdog = std::move(watchdog);
}

void Hub::unwatch() noexcept {
  blocking_.watchdog.reset();
  preempt_after_ = held_after_ = raise_after_ = kNever;
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
  if (native_calls > 0) give_way();
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
  jobs_left_ = native_calls > 0 ? kJobsBesideNative : kJobBudget;
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

void Hub::bury(PyObject* object) noexcept {
  if (!object) return;
  graveyard_.objects.push_back(object);
  if (!graveyard_.linked()) submit(graveyard_);
}

void Hub::Graveyard::run(Strand&) noexcept {
  const std::vector<PyObject*> batch = std::move(objects);
  objects.clear();
  for (PyObject* object : batch) py::Object(object).reset();
}

void Hub::after_fork_in_child() noexcept {
  forked_child_ = true;
  held_.abandon();
  if (blocking_.watchdog) {
    blocking_.watchdog->abandon();
    unwatch();
  }
  pool_.abandon();
  loop_.abandon();
}

void Hub::end_child() noexcept {
  const bool failed = PyErr_Occurred() != nullptr;
  const bool interrupted = failed && PyErr_ExceptionMatches(PyExc_KeyboardInterrupt);
  if (failed) PyErr_Print();  // does not come back from a SystemExit
  if (interrupted) {
    Py_FinalizeEx();
    ::signal(SIGINT, SIG_DFL);
    ::raise(SIGINT);
  }
  Py_Exit(failed ? 1 : 0);
}

}  // namespace celadon::green
