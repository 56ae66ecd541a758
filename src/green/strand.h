// The heap record of one greenlet: everything by which a loop, a lock or another thread
// can reach it. Nothing of that may live on a greenlet's C stack, since stacks are
// copied away while it is parked (green.md 2.4, E2).
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/account.h"
#include "green/waiter.h"
#include "loop/timers.h"
#include "py/data_stack.h"
#include "py/ref.h"

namespace celadon::green {

class Hub;
class Job;
class Work;
class LockState;
class LoopDriver;
struct ReadyTag;
struct StepTag;
struct TaskObject;

// A lock that a strand's job has taken and not given back.
struct HeldLock final : ListHook<HeldLock> {};

// What is to be sent to a job later, and not once it has ended; or was sent to one for
// the callback that it is in.
class JobAlarm : public ListHook<JobAlarm> {
 public:
  virtual ~JobAlarm() = default;
  // What dies with it goes to `dropped`.
  virtual void on_job_end(std::vector<py::Object>& dropped) noexcept = 0;
};

// An exception on its way to a strand, delivered at its next wait point.
struct Interrupt {
  py::Object exception;  // an instance, or a type
  const void* source;    // who sent it, to take it back
};

class Strand final : public Waiter,
                     public ListHook<ReadyTag>,
                     public ListHook<StepTag> {
 public:
  enum class State : std::uint8_t { Running, Parked, Ready, Idle, Done };

  Strand(Hub& hub, std::uint64_t number) noexcept;
  ~Strand() override;

  void wake() noexcept override;
  [[nodiscard]] Strand* as_strand() noexcept override { return this; }

  [[nodiscard]] Hub& hub() const noexcept { return hub_; }
  [[nodiscard]] bool is_main() const noexcept { return number_ == 0; }
  [[nodiscard]] std::uint64_t number() const noexcept { return number_; }
  [[nodiscard]] State state() const noexcept { return state_; }
  // A runner that waits for a job.
  [[nodiscard]] bool idle() const noexcept { return state_ == State::Idle; }
  // What it waits for while it is parked.
  [[nodiscard]] ParkReason reason() const noexcept { return reason_; }
  // When its wait ends by itself; kNever where it does not.
  [[nodiscard]] Nanos wait_end() const noexcept {
    return wait_alarm_.armed() ? wait_alarm_.deadline() : kNever;
  }
  // The job it runs, null between jobs, and since when.
  [[nodiscard]] const Job* job() const noexcept { return job_; }
  [[nodiscard]] Nanos job_began() const noexcept { return job_began_; }
  // What it does: its job, or what that has it do for somebody else just now (a task of
  // an event loop). Null between jobs.
  [[nodiscard]] const Work* work() const noexcept;
  // What people call that: a request, or a task; empty: nothing of its own.
  [[nodiscard]] std::string describe() const;
  // Returns who was there before; null: its job alone.
  const Work* do_for(const Work* other) noexcept {
    return std::exchange(other_, other);
  }
  // How many it has begun.
  [[nodiscard]] std::uint32_t jobs() const noexcept { return jobs_; }
  [[nodiscard]] Nanos deadline() const noexcept { return deadline_; }
  // Where it goes on: the runner, or a greenlet that its job started. Null while it
  // runs.
  [[nodiscard]] PyObject* parked_greenlet() const noexcept { return resume_.get(); }

  // Queues an exception. A strand that waits and is not shielded is woken for it.
  void interrupt(py::Object exception, const void* source) noexcept;
  // Whether this very one was sent and has not been raised yet.
  [[nodiscard]] bool is_pending(const PyObject* exception) const noexcept;
  // Takes back what `source` sent and was not delivered yet. True if there was any.
  bool take_back(const void* source) noexcept;
  // Takes all of it back. In these two exceptions may die, and what dies with them may
  // send another: they are out of the list first.
  void forget_pending() noexcept;
  // Raises the first pending interrupt, if it may be delivered now.
  [[nodiscard]] bool raise_pending() noexcept;
  // What was raised here last came to nobody, since it met a finalizer: it comes at the
  // next wait. False: it was another exception, or was taken back meanwhile.
  bool raise_again(const PyObject* exception) noexcept;

  // They nest; what is held back is held until the latest end of all that are open.
  void enter_shield(Nanos bound) noexcept;
  void leave_shield() noexcept;
  // Of the job that has ended.
  void end_shields() noexcept;
  [[nodiscard]] bool shielded() const noexcept { return shielded_; }

  // Deadline of the job: an exception, then harder ones (design §9).
  void set_deadline(Nanos at) noexcept;
  // The job was told to end by force; its runner is not used again.
  [[nodiscard]] bool retired() const noexcept { return retired_; }
  void retire() noexcept { retired_ = true; }

  // The runner itself, borrowed.
  [[nodiscard]] PyObject* own_greenlet() const noexcept { return greenlet_.get(); }
  // Where the C stack of its jobs begins: greenlets lie at the same place always.
  [[nodiscard]] const void* stack_base() const noexcept { return stack_base_; }

  // Values of threading.local, by the key of each local object. Borrowed; null: none
  // yet.
  [[nodiscard]] PyObject* locals() const noexcept { return locals_.get(); }
  [[nodiscard]] PyObject* make_locals() noexcept;
  // Likewise of steps that found those in use.
  [[nodiscard]] PyObject* asides() const noexcept { return asides_.get(); }
  [[nodiscard]] PyObject* make_asides() noexcept;

  // Whom `threading` takes it for (identity.h): itself, or who runs the asyncio loop
  // that it drives.
  [[nodiscard]] Strand& known_as() noexcept { return known_as_ ? *known_as_ : *this; }
  [[nodiscard]] const Strand& known_as() const noexcept {
    return known_as_ ? *known_as_ : *this;
  }
  // Null: itself. Holds until the other's job ends.
  void be_known_as(Strand* other) noexcept;
  void be_known_alone() noexcept;
  // Which callback of that loop it is in, by a number that no other has; 0: none.
  [[nodiscard]] std::uint64_t step() const noexcept { return step_; }
  // `handle`: asyncio's, which calls it; null: what the loop does itself. That of the
  // step before is dropped, which may run code of its.
  void begin_step(PyObject* handle) noexcept;
  void end_steps() noexcept;
  void end_step_alarms() noexcept;
  // What calls that callback, borrowed; null: none.
  [[nodiscard]] PyObject* handle() const noexcept { return handle_.get(); }

  std::uint8_t ready = 0;  // what a wait for a descriptor found
  // Which descriptor it waits for, and for what; -1: for none.
  int wanted_fd = -1;
  std::uint8_t wanted = 0;
  // Where the time of its job goes.
  Account account;
  // The job's handle, if someone asked for one.
  TaskObject* task = nullptr;  // borrowed: the task knows its strand and resets this
  // Those of its job, and of the callback of an asyncio loop that it is in; their end.
  IntrusiveList<JobAlarm> alarms;
  IntrusiveList<JobAlarm> step_alarms;
  void end_alarms() noexcept;
  // Whose end would cut its wait short; reset from there when it comes.
  const void* waits_for = nullptr;
  // The lock it waits for.
  const LockState* lock = nullptr;
  [[nodiscard]] IntrusiveList<HeldLock>& locks_held() noexcept { return locks_held_; }
  // The asyncio loop that runs here, if one does.
  py::Object asyncio_loop;
  // If that is one of ours and its callbacks are run here, until it is parked in one.
  LoopDriver* driver = nullptr;
  // Likewise, until that one is over: it has a say in each of its waits.
  LoopDriver* judge = nullptr;
  // The task of that loop which waits here in the middle of a step, if one does; it is
  // told when it goes on.
  py::Object held_task;
  bool tells_held_task = false;
  // What the job has and must give back: {key: callable}, called when the job ends.
  [[nodiscard]] PyObject* make_leftovers() noexcept;
  // Calls what is left of them. False: there is nothing.
  bool call_leftovers() noexcept;
  // The object that threading.current_thread() gives, if someone asked.
  py::Object thread;

 private:
  friend class Hub;

  template <void (Strand::*Fire)() noexcept>
  class Alarm final : public loop::Timer {
   public:
    explicit Alarm(Strand& strand) noexcept : strand_(strand) {}

   private:
    void on_timer() noexcept override { (strand_.*Fire)(); }
    Strand& strand_;
  };

  void on_wait_alarm() noexcept;
  void on_deadline_alarm() noexcept;
  void on_shield_alarm() noexcept;
  void keep_shield() noexcept;
  void forget_raised() noexcept;
  [[nodiscard]] bool deliverable() const noexcept;

  Hub& hub_;
  const std::uint64_t number_;
  State state_ = State::Running;
  ParkReason reason_ = ParkReason::Main;
  Spent counted_ = Spent::Running;  // among those that wait
  bool no_delivery_ = false;        // this wait is shielded by the one who waits
  bool retired_ = false;
  std::uint8_t deadline_stage_ = 0;
  bool shielded_ = false;
  std::uint16_t exempt_depth_ = 0;  // regions that may hold the loop
  std::vector<Nanos> shield_ends_;  // of those that are open, the innermost last
  Nanos deadline_ = kNever;
  const Job* job_ = nullptr;
  const Work* other_ = nullptr;
  Nanos job_began_ = 0;
  std::uint32_t jobs_ = 0;
  py::Object greenlet_;  // the runner itself
  py::Object resume_;    // the greenlet that parked: the runner, or one it started
  std::vector<Interrupt> pending_;
  Interrupt raised_{{}, nullptr};  // the last one, until it came to somebody
  py::Object locals_;
  py::Object asides_;
  Strand* known_as_ = nullptr;
  bool has_others_ = false;  // that are known as this one
  std::uint64_t step_ = 0;
  py::Object handle_;
  py::Object leftovers_;
  py::DataStack frames_;  // of a runner
  const void* stack_base_ = nullptr;
  IntrusiveList<HeldLock> locks_held_;
  Alarm<&Strand::on_wait_alarm> wait_alarm_{*this};
  Alarm<&Strand::on_deadline_alarm> deadline_alarm_{*this};
  Alarm<&Strand::on_shield_alarm> shield_alarm_{*this};
};

}  // namespace celadon::green
