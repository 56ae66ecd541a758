// How a strand leaves for its hub, and how it is ready again: the states of a strand,
// and what is counted of them.

#include "base/assert.h"
#include "green/asyncio_state.h"
#include "green/cxx_state.h"
#include "green/hub.h"
#include "green/switch.h"
#include "py/error.h"

namespace celadon::green {
namespace {

// False with an exception: the asyncio loop whose callback runs here has it so.
bool may_wait(Strand& strand, Nanos deadline, bool shielded) noexcept {
  if (!strand.judge || shielded || strand.shielded()) return true;
  return strand.judge->on_wait(strand, deadline);
}

}  // namespace

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
  if (strand.raise_pending() || !may_wait(strand, deadline, shielded)) {
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

bool Hub::preempt(Strand& strand) noexcept {
  ++stats_->preemptions;
  stand_aside(strand, preempted_);
  const bool switched = leave_for_hub(strand);
  set_running(strand);
  return switched;
}

}  // namespace celadon::green
