// Where an asyncio loop of ours waits, and who runs its callbacks.
//
//            seize             a callback of it waits           seize
//   nobody ─────────► driver ──────────────────────► nobody ─────────► helper ...
//                       │ ▲                             │
//                       ▼ │ rest                        └─ a job is sent, which drives
//                     resting                              from then on: the helper
//
// The greenlet that drives a loop runs its callbacks one after another, and rests where
// there are none: until a descriptor is ready, its next timer is due, or somebody wakes
// it. If one of the callbacks itself waits (for a lock, a database, another greenlet),
// a helper drives on: others of that loop are not held up by it. To `threading` all of
// them are the first, who runs the loop (green/identity.h).
#pragma once

#include <memory>

#include "aio/blocking.h"
#include "aio/watch.h"
#include "green/asyncio_state.h"
#include "green/hub.h"

namespace celadon::aio {

class LoopWait final : public Watch::Owner, public green::LoopDriver {
 public:
  // `fd`: an epoll object of Python's.
  LoopWait(int fd, bool hands_over) noexcept : fd_(fd), hands_over_(hands_over) {}
  ~LoopWait() override { close(); }

  enum class Rested : std::uint8_t {
    Nothing,
    Readable,    // a descriptor may be ready
    Impossible,  // nothing can be suspended here
    Raised,      // a Python exception is set
  };
  // Of who drives: suspends it until one of the three, or for `span` nanoseconds; 0:
  // lets others go first. Another may drive when it comes back.
  [[nodiscard]] Rested rest(Nanos span) noexcept;
  // Any thread, GIL held; the hub. Who drives may be preempted between its last look
  // and its rest, which is none then.
  void wake() noexcept;
  // What runs here drives from now on, whoever did before.
  void seize() noexcept;
  // And does so no longer, if it did.
  void release() noexcept;
  // Of who drives: it calls the next of its handles.
  static void begin_step(PyObject* handle) noexcept;
  [[nodiscard]] bool driven() const noexcept { return driver_ != nullptr; }
  // What becomes of waits in its callbacks.
  [[nodiscard]] Blocking& blocking() noexcept { return blocking_; }
  // Before its descriptor is closed.
  void close() noexcept;

 private:
  // Has a runner call the loop's `_help`.
  class Help final : public green::Job {
   public:
    void run(green::Strand& strand) noexcept override;
    py::Object loop;
  };

  bool on_readable() noexcept override;
  void on_park(green::Strand& strand) noexcept override;
  [[nodiscard]] bool on_wait(green::Strand& strand, Nanos deadline) noexcept override {
    return blocking_.admit(deadline, strand.hub().log());
  }
  [[nodiscard]] bool watch_from(green::Hub& hub) noexcept;
  void end_rest() noexcept;
  [[nodiscard]] Rested take_readable() noexcept;

  int fd_;
  bool hands_over_;
  bool is_woken_ = false;  // while nobody rested
  bool is_readable_ = false;
  bool is_at_rest_ = false;  // who drives, or lets others go first: it looks soon
  std::unique_ptr<Watch> watch_;
  green::Strand* runs_ = nullptr;  // who drove first, and has not left since
  green::Strand* driver_ = nullptr;
  green::Strand* resting_ = nullptr;
  Help help_;
  Blocking blocking_;
};

}  // namespace celadon::aio
