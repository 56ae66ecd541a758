#include "aio/loop_wait.h"

#include <utility>

namespace celadon::aio {

bool LoopWait::watch_from(green::Hub& hub) noexcept {
  if (watch_ && &watch_->hub() != &hub) Watch::end(std::move(watch_));
  if (!watch_) watch_ = std::make_unique<Watch>(hub, fd_, *this);
  if (watch_->arm()) return true;
  PyErr_SetFromErrno(PyExc_OSError);
  return false;
}

LoopWait::Rested LoopWait::rest(Nanos span) noexcept {
  if (!green::can_park()) return Rested::Impossible;
  green::Strand& strand = *green::current_strand();
  strand.begin_step(nullptr);  // what the last handle drops may wait
  green::Hub& hub = strand.hub();
  if (!watch_from(hub)) return Rested::Raised;
  if (std::exchange(is_woken_, false) || is_readable_) span = 0;
  if (span == 0 && hub.has_nothing_else()) {
    if (strand.raise_pending()) return Rested::Raised;
    return take_readable();
  }
  strand.driver = strand.judge = nullptr;  // while it rests no callback waits
  strand.end_steps();
  green::Waited waited{};
  is_at_rest_ = true;
  if (span == 0) {
    waited = hub.yield_now(strand);
  } else {
    resting_ = &strand;
    strand.granted = false;
    strand.wanted_fd = fd_;
    strand.wanted = loop::kRead;
    hub.enter_outer_wait();
    const Nanos end = span == kNever ? kNever : hub.loop().fresh_now() + span;
    waited = hub.park(strand, end, green::ParkReason::Fd, false);
    hub.leave_outer_wait();
    strand.wanted_fd = -1;
    if (resting_ == &strand) resting_ = nullptr;
  }
  strand.begin_step(nullptr);
  if (driver_ == &strand || !driver_) is_at_rest_ = false;
  if (driver_ != &strand) {
    return waited == green::Waited::Interrupted ? Rested::Raised : Rested::Nothing;
  }
  is_woken_ = false;  // it looks at once
  if (hands_over_) strand.driver = strand.judge = this;
  if (waited == green::Waited::Interrupted) return Rested::Raised;
  return take_readable();
}

LoopWait::Rested LoopWait::take_readable() noexcept {
  return std::exchange(is_readable_, false) ? Rested::Readable : Rested::Nothing;
}

void LoopWait::end_rest() noexcept {
  if (std::exchange(resting_->granted, true)) return;
  resting_->wake();
}

void LoopWait::wake() noexcept {
  if (resting_) return end_rest();
  is_woken_ = true;
}

bool LoopWait::on_readable() noexcept {
  is_readable_ = true;
  if (resting_) end_rest();
  return is_at_rest_;
}

void LoopWait::seize() noexcept {
  green::Strand* me = green::current_strand();
  if (driver_ && driver_ != me) driver_->driver = nullptr;
  if (resting_ && resting_ != me) {
    end_rest();
    resting_ = nullptr;
  }
  driver_ = me;
  is_at_rest_ = false;
  if (!me) return;
  if (hands_over_) me->driver = me->judge = this;
  // It may be that of the parent of a forked child.
  if (!runs_ || &runs_->hub() != &me->hub()) runs_ = me;
  me->be_known_as(runs_);
  me->begin_step(nullptr);
}

void LoopWait::begin_step(PyObject* handle) noexcept {
  if (green::Strand* me = green::current_strand()) me->begin_step(handle);
}

void LoopWait::release() noexcept {
  green::Strand* me = green::current_strand();
  if (!me) return;
  me->end_steps();
  me->judge = nullptr;
  me->be_known_as(nullptr);
  if (runs_ == me) runs_ = nullptr;
  if (driver_ != me) return;
  driver_ = nullptr;
  me->driver = nullptr;
}

void LoopWait::on_park(green::Strand& strand) noexcept {
  driver_ = nullptr;
  if (help_.linked()) return;
  help_.loop = py::Object::copy(strand.asyncio_loop.get());
  strand.hub().submit(help_);
}

// The loop, of which this is a part, may have nobody else: it goes once this is over.
void LoopWait::Help::run(green::Strand& strand) noexcept {
  PyObject* helped = loop.release();
  const py::Object done(PyObject_CallMethod(helped, "_help", nullptr));
  if (!done) PyErr_WriteUnraisable(helped);
  strand.hub().bury(helped);
}

void LoopWait::close() noexcept {
  if (watch_) Watch::end(std::move(watch_));
}

}  // namespace celadon::aio
