// Lock and RLock, between greenlets, between native threads, and mixed.
//
// An uncontended acquire is a compare and two stores. Under contention a release hands
// the lock to the first waiter: nobody barges in.
#pragma once

#include "green/strand.h"
#include "green/waiter.h"
#include "py/ref.h"

namespace celadon::green {

class Hub;

// What both kinds share. Guarded by the GIL.
class LockState {
 public:
  [[nodiscard]] bool locked() const noexcept { return owner_ != 0; }
  [[nodiscard]] unsigned long owner() const noexcept { return owner_; }
  // Which of its jobs a greenlet held it in: it may have another by now.
  [[nodiscard]] std::uint32_t owner_job() const noexcept { return owner_job_; }
  // As threading.get_ident had it.
  [[nodiscard]] unsigned long owner_thread() const noexcept { return owner_thread_; }
  // Whether what runs here may take it again: it is the owner, or of the same loop, and
  // the step that took it last is over.
  [[nodiscard]] bool is_mine() const noexcept;
  // Whether it may be released here: what has it over an `await` may go on in another
  // greenlet of its loop.
  [[nodiscard]] bool is_my_threads() const noexcept;
  void enter_again(unsigned long ident) noexcept;

  // For `ident`; Granted, TimedOut, or Interrupted with an exception.
  [[nodiscard]] Waited acquire(unsigned long ident, Nanos deadline,
                               bool shielded) noexcept;
  [[nodiscard]] bool try_acquire(unsigned long ident) noexcept {
    if (owner_ != 0) return false;
    own(ident);
    return true;
  }
  void release() noexcept;
  // After a fork, in the child: free, and without waiters.
  void reinit() noexcept;
  // Whether a greenlet of this thread other than `ident` holds it or waits for it: who
  // cannot park would wait for ever, behind what only runs if it does.
  [[nodiscard]] bool is_other_greenlets(unsigned long ident) const noexcept;
  // Whether `ident`, which lets go of it, gets it again. False with an exception.
  [[nodiscard]] bool can_come_back(unsigned long ident) const noexcept;
  // Its holders never wait, so to wait for it is no place where kills are delivered:
  // what it guards, such as a semaphore's count, is not left half done.
  void set_brief() noexcept { brief_ = true; }

 private:
  [[nodiscard]] bool is_owner() const noexcept;
  void raise_deadlock() const noexcept;
  void own(unsigned long ident) noexcept;
  void be_held_by(Strand* strand) noexcept;

  unsigned long owner_ = 0;  // identity of the holder; 0: free
  unsigned long owner_thread_ = 0;
  std::uint64_t owner_step_ = 0;  // in which it was taken last; 0: of no loop
  Hub* owner_hub_ = nullptr;
  std::uint32_t owner_job_ = 0;
  bool brief_ = false;
  HeldLock held_;  // among those of the greenlet that holds it
  mutable WaitQueue waiters_;
};

struct LockObject {
  PyObject_HEAD PyObject* weakrefs;
  LockState state;
};

struct RLockObject {
  PyObject_HEAD PyObject* weakrefs;
  LockState state;
  unsigned long count;
};

// Arguments of acquire(blocking=True, timeout=-1), checked as CPython checks them.
struct AcquireArgs {
  bool blocking = true;
  Nanos deadline = kNever;
};
[[nodiscard]] bool parse_acquire(PyObject* const* args, Py_ssize_t count,
                                 PyObject* names, AcquireArgs& out) noexcept;

// What Condition needs of a lock of either kind.
[[nodiscard]] bool is_lock(PyObject* object) noexcept;  // Lock or RLock
[[nodiscard]] bool lock_is_owned(PyObject* lock) noexcept;
// 0, with an exception, where it could not be had again.
[[nodiscard]] unsigned long lock_release_save(PyObject* lock) noexcept;
void lock_acquire_restore(PyObject* lock, unsigned long count) noexcept;
[[nodiscard]] py::Object make_rlock() noexcept;

[[nodiscard]] int add_lock_types(PyObject* module) noexcept;

}  // namespace celadon::green
