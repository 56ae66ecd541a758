#include "green/hub.h"

#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>

#include "base/thread_id.h"
#include "green/switch.h"
#include "green/thread_bound.h"
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
  if (thread_id() == ::getpid()) return true;
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
