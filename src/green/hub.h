// The hub of one OS thread: a greenlet that runs the loop and resumes all others.
//
//          ┌──────────── hub: resume woken ► run jobs ► loop turn ────────────┐
//          │ switch                                                           │
//   main script      runner 1      runner 2 ...   (LIFO pool, reused)   poll, timers,
//          └── park ──────┴── park ────┘                                 posted calls
//
// Only the hub runs the loop, and its callbacks only mark strands ready. A strand that
// parks switches to the hub, always. Runners take jobs one after another without a
// switch; only when a job parks does another runner take over.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/histogram.h"
#include "base/log.h"
#include "green/exploration.h"
#include "green/fd_waits.h"
#include "green/held.h"
#include "green/pace.h"
#include "green/stalls.h"
#include "green/strand.h"
#include "green/turns.h"
#include "green/watchdog.h"
#include "loop/loop.h"
#include "loop/thread_pool.h"
#include "py/gil.h"

namespace celadon::green {

// What a greenlet does, for reports, and for tasks of asyncio.
class Work {
 public:
  virtual ~Work() = default;
  // What people call it, such as a request line; empty: nothing of its own.
  [[nodiscard]] virtual std::string describe() const { return {}; }
  // It was told to end: so do calls that hold tasks which it cancels from now on.
  [[nodiscard]] virtual bool is_to_end() const noexcept { return false; }
};

// Work for a runner. Whoever submits it keeps it alive until it has run or was dropped.
class Job : public Work, public ListHook<Job> {
 public:
  // Runs on a runner's stack. Leaves no exception set.
  virtual void run(Strand& strand) noexcept = 0;
  // The context to run in, borrowed; null: a copy of the base context.
  [[nodiscard]] virtual PyObject* context() noexcept { return nullptr; }
  // The task that it runs for, borrowed; null: none.
  [[nodiscard]] virtual PyObject* handle() const noexcept { return nullptr; }
};

struct HubStats {
  std::uint64_t switches = 0;
  std::uint64_t runners_created = 0;
  std::uint64_t runners_retired = 0;
  std::uint64_t jobs = 0;
  std::uint64_t deadlines_fired = 0;
  std::uint64_t deadlines_ignored = 0;  // by jobs that swallowed them twice
  std::uint64_t preemptions = 0;
  std::uint64_t preemptions_refused = 0;       // where nothing may switch
  std::uint64_t gil_wait = 0;                  // nanoseconds until it had the GIL again
  std::array<std::uint64_t, 3> collections{};  // by their generation
  std::array<std::uint64_t, 3> collected{};    // objects
  std::array<std::uint64_t, 3> uncollectable{};
  Histogram<kLagBounds> collector_pauses;
  Histogram<kLagBounds> slices;  // how long one greenlet ran
  Histogram<kLagBounds> held;    // of these, those that are reported
};

// What there is now.
struct HubLoad {
  std::uint64_t greenlets = 0;                      // that have a job
  std::uint64_t ready = 0;                          // and could run
  std::array<std::uint64_t, kSpentKinds> parked{};  // by what they wait for
};

class Hub {
 public:
  // The hub of this thread, or null.
  [[nodiscard]] static Hub* here() noexcept;
  // All of this process.
  [[nodiscard]] static const std::vector<Hub*>& all() noexcept;
  // The native thread that it runs in.
  [[nodiscard]] unsigned long thread_id() const noexcept { return thread_id_; }
  // Of this thread, which ends: nobody runs it any more, and its loop is closed.
  void leave_thread() noexcept;
  // Greenlets that have begun or are to begin, and have not ended.
  [[nodiscard]] std::size_t unfinished() const noexcept;
  // Ends all waits for a descriptor that Python is about to close. Any thread.
  static void on_fd_closing(int fd) noexcept;
  static void on_fds_closing(int first, int last) noexcept;
  // In a forked child: the hub that the forking thread had in the parent, or null.
  [[nodiscard]] static Hub* left_by_fork() noexcept;
  // Makes one for this thread, whose current greenlet becomes the main strand. Null
  // with an exception.
  static Hub* create() noexcept;

  [[nodiscard]] loop::Loop& loop() noexcept { return loop_; }
  [[nodiscard]] loop::ThreadPool& pool() noexcept { return pool_; }
  [[nodiscard]] FdWaits& fd_waits() noexcept { return fd_waits_; }
  [[nodiscard]] const FdWaits& fd_waits() const noexcept { return fd_waits_; }
  // The strand that runs now; null in the hub itself.
  [[nodiscard]] Strand* current() const noexcept { return current_; }

  void submit(Job& job) noexcept { jobs_.push_back(job); }
  // Ahead of all others: for what would only wait for what runs now.
  void submit_first(Job& job) noexcept { jobs_.push_front(job); }
  // A wake from any thread, GIL held.
  void make_ready(Strand& strand) noexcept;

  // Leaves for the hub until woken, interrupted or `deadline`. Only for current().
  [[nodiscard]] Waited park(Strand& strand, Nanos deadline, ParkReason reason,
                            bool shielded) noexcept;
  // Parks behind everything that is ready.
  [[nodiscard]] Waited yield_now(Strand& strand) noexcept;
  // Nobody else has anything to do, and the kernel was asked for news just now: what
  // yields again and again need not each time.
  [[nodiscard]] bool has_nothing_else() noexcept;

  // Parks behind everything that is ready, at a place that is no wait point: nothing is
  // delivered. False: an exception was thrown in.
  [[nodiscard]] bool preempt(Strand& strand) noexcept;

  // An object to be dropped by a runner, since dropping it may block. Steals.
  void bury(PyObject* object) noexcept;

  // Contexts of requests are copies of this one.
  void set_base_context(py::Object context) noexcept {
    base_context_ = std::move(context);
    spare_context_.reset();
    base_size_ = PyObject_Size(base_context_.get());
  }
  void set_log(LogSink* log) noexcept { log_ = log; }
  [[nodiscard]] LogSink* log() const noexcept { return log_; }

  [[nodiscard]] const HubStats& stats() const noexcept { return *stats_; }
  [[nodiscard]] HubStats& stats() noexcept { return *stats_; }
  // Memory that others may read; until keep_cells().
  void set_cells(HubStats& stats, HubLoad& load) noexcept;
  void keep_cells() noexcept;
  [[nodiscard]] std::size_t runners() const noexcept { return strands_.size(); }
  [[nodiscard]] std::size_t idle_runners() const noexcept { return idle_.size(); }
  [[nodiscard]] Strand& main_strand() noexcept { return *main_; }
  // Those that call what asyncio loops have to call.
  [[nodiscard]] IntrusiveList<Strand, StepTag>& in_steps() noexcept {
    return in_steps_;
  }
  // All runners, for reports.
  [[nodiscard]] const std::vector<std::unique_ptr<Strand>>& strands() const noexcept {
    return strands_;
  }
  // Monotonic time at which the running slice began; 0 while the hub itself runs.
  [[nodiscard]] Nanos slice_started() const noexcept {
    return pulse_->load(std::memory_order_relaxed);
  }
  // Where that time is written, for others to read; from keep_pulse() on only here.
  void set_pulse(std::atomic<Nanos>& cell) noexcept { pulse_ = &cell; }
  void keep_pulse() noexcept {
    pulse_->store(0, std::memory_order_relaxed);
    pulse_ = &own_pulse_;
  }
  // The running strand may take as long as it likes: neither reported nor preempted.
  void exempt(Strand& strand) noexcept;
  void end_exemption(Strand& strand) noexcept;
  // Whether the running slice is longer than one that is preempted.
  [[nodiscard]] bool slice_over() noexcept;
  // Whether it is so long that LoopBlocked is to be raised in it, which is done once.
  [[nodiscard]] bool slice_blocks() noexcept;
  void note_raised() noexcept { raised_ = slice_started(); }
  // The job that runs now ends, and the loop's time was read for that.
  void note_end() noexcept { end_read_ = true; }
  // True while the thread sleeps in poll.
  [[nodiscard]] bool resting() const noexcept { return blocking_.resting(); }
  // Has the thread watched, which must be this one.
  void watch(const WatchLimits& limits);
  void unwatch() noexcept;
  // Between two bytecodes: what the watchdog asked for is written.
  void answer_watchdog() noexcept {
    if (blocking_.watchdog) blocking_.watchdog->write_stacks();
  }

  // Around a collection of garbage.
  void note_collection() noexcept { collecting_since_ = clock_.now(); }
  void end_collection() noexcept {
    const Nanos took = loop_.fresh_now() - collecting_since_;
    stats_->collector_pauses.observe(static_cast<std::uint64_t>(took));
  }
  // The slice that runs now, where it is long enough for the watchdog.
  [[nodiscard]] HeldSlice& held() noexcept { return held_; }
  // Whether what a slice has finished may wait for what comes behind it: other slices,
  // or more in this one.
  [[nodiscard]] bool batches(bool has_more) const noexcept {
    return pace_.batches() && (has_more || has_ready());
  }
  // Somebody runs in this round still, or in the next one.
  [[nodiscard]] bool has_ready() const noexcept {
    return !(jobs_.empty() && due_.empty() && woken_.empty());
  }
  // Somebody waits for descriptors that this hub does not know.
  void enter_outer_wait() noexcept { ++outer_waits_; }
  void leave_outer_wait() noexcept { --outer_waits_; }
  [[nodiscard]] bool forked_child() const noexcept { return forked_child_; }
  // After a fork: in the child nothing of the hub may be used again.
  void after_fork_in_child() noexcept;
  // The child of a fork ends where its greenlet does, as a process of CPython does: by
  // the exception that is set, or well.
  [[noreturn]] static void end_child() noexcept;

  // Another decides who runs next: `conductor`, which runs here, until it ends that.
  [[nodiscard]] bool begin_exploration(Strand& conductor) noexcept;
  void end_exploration() noexcept;
  [[nodiscard]] Exploration* exploration() noexcept { return exploration_.get(); }
  // What the conductor said is done. False: an exception was thrown in.
  [[nodiscard]] bool explore(Exploration::Order order) noexcept;
  // Jobs that wait for a runner, then strands that could run. False: no more of them.
  using ReadyVisit = std::function<bool(Job*, Strand*)>;
  void for_each_ready(const ReadyVisit& visit) noexcept;

  // Bodies of greenlets, called by CPython.
  PyObject* hub_body() noexcept;
  PyObject* runner_body(Strand& strand) noexcept;

 private:
  Hub() noexcept;
  class Decay final : public loop::Timer {
   public:
    explicit Decay(Hub& hub) noexcept : hub_(hub) {}

   private:
    void on_timer() noexcept override { hub_.decay(); }
    Hub& hub_;
  };
  // Gives the GIL away while the thread sleeps, and says that it does.
  class Blocking final : public loop::BlockHook {
   public:
    void before_block() noexcept override;
    void after_block() noexcept override;
    [[nodiscard]] bool resting() const noexcept {
      return resting_.load(std::memory_order_seq_cst);
    }
    std::unique_ptr<Watchdog> watchdog;
    HubStats* stats = nullptr;

   private:
    py::GilBlockHook gil_;
    std::atomic<bool> resting_{false};
    bool alone_ = false;  // no other thread of Python's was there
  };
  class Graveyard final : public Job {
   public:
    void run(Strand& strand) noexcept override;
    std::vector<PyObject*> objects;
  };

  [[nodiscard]] bool start() noexcept;
  void round() noexcept;
  void explored_round() noexcept;
  void run_chosen(Py_ssize_t index) noexcept;
  void resume(Strand& strand) noexcept;
  void resume_woken() noexcept;
  void resume_preempted(bool others_worked) noexcept;
  void give_way() noexcept;
  void run_jobs() noexcept;
  [[nodiscard]] Job* take_job() noexcept;
  void run_job(Strand& strand, Job& job) noexcept;
  [[nodiscard]] py::Object new_context() noexcept;
  [[nodiscard]] bool leave_context(py::Object context, bool is_wanted) noexcept;
  [[nodiscard]] bool wait_for_job(Strand& strand) noexcept;
  void leave_nothing(Strand& strand) noexcept;
  [[nodiscard]] bool leave_for_hub(Strand& strand) noexcept;
  [[nodiscard]] Waited wait_parked(Strand& strand, Nanos deadline,
                                   ParkReason reason) noexcept;
  [[nodiscard]] Strand* new_runner() noexcept;
  void fit_frames(Strand& strand) noexcept;
  void stamp() noexcept;
  void end_slice(Nanos now) noexcept;
  void end_held(Nanos began, Nanos now) noexcept;
  void count_as(Strand& strand, Spent kind) noexcept;
  void set_parked(Strand& strand, ParkReason reason) noexcept;
  void set_ready(Strand& strand, Nanos since) noexcept;
  void set_running(Strand& strand) noexcept;
  using ReadyList = IntrusiveList<Strand, ReadyTag>;
  void stand_aside(Strand& strand, ReadyList& list) noexcept;
  void remove_done() noexcept;
  void settle_burst() noexcept;
  void decay() noexcept;
  void note_use() noexcept;
  void check_signals() noexcept;
  [[nodiscard]] bool is_deserted() noexcept;
  [[nodiscard]] static bool has_foreign_threads() noexcept;
  void interrupt_deserted() noexcept;

  static constexpr int kJobBudget = 256;
  static constexpr int kJobsBesideNative = 16;  // then native threads get their chance
  static constexpr int kJobsBeforeWoken = 8;    // once somebody is woken
  static constexpr int kWakeBudget = 256;
  static constexpr Nanos kSlice = 5 * kMillisecond;       // between polls
  static constexpr Nanos kUnpolled = 100 * kMicrosecond;  // between polls, when busy
  static constexpr Nanos kLookAgain = 100 * kMillisecond;
  static constexpr Nanos kDecayPeriod = 10 * kSecond;
  static constexpr std::size_t kKeptRunners = 8;
  static constexpr std::size_t kBurst = 64;         // runners given back at once
  static constexpr std::size_t kGreatBurst = 1024;  // worth a full collection

  SystemClock clock_;
  loop::Loop loop_;
  loop::ThreadPool pool_;
  FdWaits fd_waits_{loop_};
  Blocking blocking_;
  py::Object greenlet_;      // the hub's own
  py::Object runner_start_;  // the function that every runner begins with
  py::Object base_context_;
  Py_ssize_t base_size_ = 0;
  py::Object spare_context_;
  LogSink* log_ = nullptr;
  void (Hub::*round_)() noexcept = &Hub::round;
  std::unique_ptr<Exploration> exploration_;
  Strand* current_ = nullptr;
  std::unique_ptr<Strand> main_;
  std::vector<std::unique_ptr<Strand>> strands_;
  std::vector<Strand*> idle_;  // the last one used is the next one used
  IntrusiveList<Strand, StepTag> in_steps_;
  ReadyList woken_;
  ReadyList due_;  // of those, who run in this turn
  ReadyList preempted_;
  Turns turns_;
  IntrusiveList<Job> jobs_;
  Graveyard graveyard_;
  Decay decay_{*this};
  int jobs_left_ = 0;
  Nanos turn_end_ = 0;
  Nanos polled_ = 0;
  bool end_read_ = false;
  std::size_t frame_bytes_ = py::DataStack::kLeast;  // that a job needed so far
  std::size_t peak_ = 0;       // runners in use at most in this period
  std::size_t last_peak_ = 0;  // and in the one before
  std::size_t outer_waits_ = 0;
  std::size_t done_ = 0;
  std::size_t leaving_ = 0;  // runners of a burst that were told to end, and
  std::size_t left_ = 0;     // those that ended since
  std::atomic<Nanos> own_pulse_{0};
  std::atomic<Nanos>* pulse_ = &own_pulse_;
  Nanos preempt_after_ = kNever;
  Nanos raise_after_ = kNever;
  Nanos raised_ = 0;  // start of the slice in which LoopBlocked was raised last
  Nanos held_after_ = kNever;  // a slice so long is counted as one that held the loop
  Pace pace_;
  HeldSlice held_;
  Stalls stalls_{*this};
  Nanos collecting_since_ = 0;
  unsigned long thread_id_;
  HubStats own_stats_;
  HubLoad own_load_;
  HubStats* stats_ = &own_stats_;
  HubLoad* load_ = &own_load_;
  bool forked_child_ = false;
  bool poison_;  // CELADON_POISON_STACK is set
};

// True where the running greenlet may leave for the hub.
[[nodiscard]] bool can_park() noexcept;
// The strand that runs in this thread, or null: no hub here, or the hub itself.
[[nodiscard]] Strand* current_strand() noexcept;
// While the collector runs in this thread nothing may switch (green.md 3.6).
void set_collecting(bool on) noexcept;
// Between these a native thread runs a call that some greenlet waits for.
void enter_native_call() noexcept;
void leave_native_call() noexcept;
[[nodiscard]] int native_calls_run() noexcept;
// Between these nothing may switch in this thread: C code would be left half done.
void enter_no_switch() noexcept;
void leave_no_switch() noexcept;
class NoSwitch {
 public:
  NoSwitch() noexcept { enter_no_switch(); }
  ~NoSwitch() { leave_no_switch(); }
  NoSwitch(const NoSwitch&) = delete;
  NoSwitch& operator=(const NoSwitch&) = delete;
};
// Identity of what runs: of the strand for greenlets, of the thread otherwise. Never 0.
// Whom `threading` takes it for is another matter (identity.h).
[[nodiscard]] unsigned long current_ident() noexcept;

// Exceptions of this room; set when the module is made.
struct Exceptions {
  PyObject* request_timeout = nullptr;  // Exception
  PyObject* loop_blocked = nullptr;     // likewise
  PyObject* request_killed = nullptr;   // BaseException: the deadline, said again
};
[[nodiscard]] Exceptions& exceptions() noexcept;

}  // namespace celadon::green
