#include "green/strand.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "green/asyncio_state.h"
#include "green/hub.h"

namespace celadon::green {
namespace {
constexpr Nanos kInsist = 10 * kSecond;  // after which a swallowed deadline comes again
constexpr Nanos kShieldRetry = kSecond;

void end_all(IntrusiveList<JobAlarm>& alarms) noexcept {
  std::vector<py::Object> dropped;  // once all are off the list
  while (JobAlarm* alarm = alarms.pop_front()) alarm->on_job_end(dropped);
}
}  // namespace

Strand::Strand(Hub& hub, std::uint64_t number) noexcept : hub_(hub), number_(number) {}
Strand::~Strand() {
  end_alarms();
}

const Work* Strand::work() const noexcept {
  return other_ ? other_ : job_;
}

std::string Strand::describe() const {
  if (!other_ && handle_) return describe_callback(handle_.get());
  return work() ? work()->describe() : std::string();
}

void Strand::wake() noexcept {
  hub_.make_ready(*this);
}

// Due before the loop came to it: from then on it was ready.
void Strand::on_wait_alarm() noexcept {
  if (state_ == State::Parked) account.ready(wait_alarm_.deadline());
  wake();
}

bool Strand::deliverable() const noexcept {
  return !shielded() && !no_delivery_;
}

void Strand::interrupt(py::Object exception, const void* source) noexcept {
  pending_.push_back({std::move(exception), source});
  if (state_ == State::Parked && !granted && deliverable()) wake();
}

bool Strand::is_pending(const PyObject* exception) const noexcept {
  return std::ranges::any_of(pending_, [exception](const Interrupt& each) {
    return each.exception.get() == exception;
  });
}

bool Strand::take_back(const void* source) noexcept {
  const auto [first, last] = std::ranges::stable_partition(
      pending_, [source](const Interrupt& i) { return i.source != source; });
  const std::vector<Interrupt> taken(std::make_move_iterator(first),
                                     std::make_move_iterator(last));
  pending_.erase(first, last);
  // Where nobody else has it, frames die with it, and what they knew: not in the hub.
  if (raised_.source == source) hub_.bury(raised_.exception.release());
  return !taken.empty();
}

void Strand::forget_pending() noexcept {
  const std::vector<Interrupt> forgotten = std::exchange(pending_, {});
  const py::Object raised = std::move(raised_.exception);
}

// Once nobody else has it, it came to somebody, and is not to keep the frames it went
// through. To drop it may block, which one that begins to wait must not.
void Strand::forget_raised() noexcept {
  PyObject* exception = raised_.exception.get();
  if (exception && Py_REFCNT(exception) == 1) hub_.bury(raised_.exception.release());
}

bool Strand::raise_pending() noexcept {
  forget_raised();
  if (pending_.empty() || !deliverable()) return false;
  Interrupt next = std::move(pending_.front());
  pending_.erase(pending_.begin());
  if (!PyExceptionInstance_Check(next.exception.get())) {
    next.exception.reset(PyObject_CallNoArgs(next.exception.get()));
    if (!next.exception) return true;  // by what making it raised
  }
  PyObject* object = next.exception.get();
  hub_.bury(std::exchange(raised_, std::move(next)).exception.release());
  PyErr_SetObject(PyExceptionInstance_Class(object), object);
  return true;
}

bool Strand::raise_again(const PyObject* exception) noexcept {
  if (!exception || raised_.exception.get() != exception) return false;
  pending_.push_back(std::move(raised_));
  return true;
}

void Strand::enter_shield(Nanos bound) noexcept {
  shield_ends_.push_back(bound == kNever ? kNever : hub_.loop().fresh_now() + bound);
  keep_shield();
}

void Strand::leave_shield() noexcept {
  if (shield_ends_.empty()) return;
  shield_ends_.pop_back();
  if (shield_ends_.empty()) return end_shields();
  keep_shield();
}

void Strand::end_shields() noexcept {
  shield_ends_.clear();
  shield_alarm_.cancel();
  shielded_ = false;
}

// Until the latest end: one inside of another has its own whole bound.
void Strand::keep_shield() noexcept {
  const Nanos end = std::ranges::max(shield_ends_);
  shielded_ = end == kNever || end > hub_.loop().now();
  if (end == kNever || !shielded_) {
    shield_alarm_.cancel();
  } else if (!shield_alarm_.armed() || shield_alarm_.deadline() != end) {
    hub_.loop().arm(shield_alarm_, end);
  }
}

// The shield's own bound: what it held back is delivered now.
void Strand::on_shield_alarm() noexcept {
  shielded_ = false;
  if (!pending_.empty() && state_ == State::Parked && !granted && deliverable()) wake();
}

void Strand::end_alarms() noexcept {
  end_all(alarms);
  end_all(step_alarms);
}

void Strand::end_step_alarms() noexcept {
  end_all(step_alarms);
}

void Strand::set_deadline(Nanos at) noexcept {
  deadline_ = at;
  deadline_stage_ = 0;
  if (at == kNever) return;  // the timer, if armed, finds nothing due
  if (!deadline_alarm_.armed() || deadline_alarm_.deadline() > at) {
    hub_.loop().arm(deadline_alarm_, at);
  }
}

void Strand::on_deadline_alarm() noexcept {
  const Nanos now = hub_.loop().now();
  if (deadline_ == kNever) return;
  if (deadline_ > now) {
    hub_.loop().arm(deadline_alarm_, deadline_);
    return;
  }
  if (shielded() && deadline_stage_ > 0) {
    deadline_ = now + kShieldRetry;
    hub_.loop().arm(deadline_alarm_, deadline_);
    return;
  }
  ++hub_.stats().deadlines_fired;
  retired_ = true;
  PyObject* type =
      deadline_stage_ == 0 ? exceptions().request_timeout : exceptions().request_killed;
  if (deadline_stage_ == 2) {
    ++hub_.stats().deadlines_ignored;
    if (hub_.log()) {
      hub_.log()->log(Level::Critical,
                      "a request swallowed its deadline twice and is still running");
    }
  }
  if (deadline_stage_ < 3) ++deadline_stage_;
  deadline_ = now + kInsist;
  hub_.loop().arm(deadline_alarm_, deadline_);
  interrupt(py::Object::copy(type), this);
}

PyObject* Strand::make_leftovers() noexcept {
  if (!leftovers_) leftovers_.reset(PyDict_New());
  return leftovers_.get();
}

bool Strand::call_leftovers() noexcept {
  if (!leftovers_) return false;
  const py::Object leftovers = std::move(leftovers_);
  const py::Object callables(PyDict_Values(leftovers.get()));
  const Py_ssize_t count = callables ? PyList_GET_SIZE(callables.get()) : 0;
  for (Py_ssize_t i = 0; i < count; ++i) {
    PyObject* callable = PyList_GET_ITEM(callables.get(), i);
    const py::Object done(PyObject_CallNoArgs(callable));
    if (!done) PyErr_WriteUnraisable(callable);
  }
  return true;
}

PyObject* Strand::make_locals() noexcept {
  if (!locals_) locals_.reset(PyDict_New());
  return locals_.get();
}

PyObject* Strand::make_asides() noexcept {
  if (!asides_) asides_.reset(PyDict_New());
  return asides_.get();
}

}  // namespace celadon::green
