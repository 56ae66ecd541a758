#include "green/exploration.h"

#include "green/hub.h"
#include "green/thread_waiter.h"
#include "py/ref.h"

namespace celadon::green {

// Others may be in the middle of their round: the hub ends it first.
bool Hub::begin_exploration(Strand& conductor) noexcept {
  exploration_ = std::make_unique<Exploration>(conductor);
  exploration_->clock.advance(clock_.now() - exploration_->clock.now());
  loop_.set_clock(exploration_->clock);
  set_clock_of_thread(&exploration_->clock);
  decay_.cancel();
  round_ = &Hub::explored_round;
  while (!exploration_->entered) {
    stand_aside(conductor, woken_);
    const bool switched = leave_for_hub(conductor);
    set_running(conductor);
    if (!switched) return end_exploration(), false;
  }
  return true;
}

void Hub::end_exploration() noexcept {
  round_ = &Hub::round;
  loop_.set_clock(clock_);
  set_clock_of_thread(nullptr);
  exploration_.reset();
}

bool Hub::explore(Exploration::Order order) noexcept {
  Strand& conductor = exploration_->conductor;
  exploration_->order = order;
  set_ready(conductor, loop_.now());
  const bool switched = leave_for_hub(conductor);
  set_running(conductor);
  return switched;
}

void Hub::explored_round() noexcept {
  Exploration& now = *exploration_;
  now.entered = true;
  switch (std::exchange(now.order, Exploration::Order::Nothing)) {
    case Exploration::Order::Nothing: break;
    case Exploration::Order::Run: run_chosen(now.chosen); break;
    case Exploration::Order::Poll: loop_.turn(now.nanos); break;
    case Exploration::Order::Pass:
      now.clock.advance(now.nanos);
      now.fired = loop_.run_timers();
      break;
  }
  if (done_ > 0) remove_done();
  loop_.settle();
  resume(now.conductor);
}

// Those who are ready, in the order in which a round takes them: new jobs, then
// strands.
void Hub::for_each_ready(const ReadyVisit& visit) noexcept {
  for (Job* job = jobs_.front(); job; job = jobs_.next(*job)) {
    if (!visit(job, nullptr)) return;
  }
  for (ReadyList* list : {&woken_, &preempted_}) {
    for (Strand* each = list->front(); each; each = list->next(*each)) {
      if (!visit(nullptr, each)) return;
    }
  }
}

void Hub::run_chosen(Py_ssize_t index) noexcept {
  Job* job = nullptr;
  Strand* strand = nullptr;
  for_each_ready([&](Job* of_job, Strand* of_strand) noexcept {
    job = of_job;
    strand = of_strand;
    return index-- > 0;
  });
  turn_end_ = kNever;
  jobs_left_ = job ? 1 : 0;
  if (job) {
    job->unlink();  // it may be the first one already
    jobs_.push_front(*job);
    strand = idle_.empty() ? new_runner() : idle_.back();
    if (!strand) return PyErr_WriteUnraisable(nullptr);
    if (strand->idle()) idle_.pop_back();
  } else if (strand) {
    strand->ListHook<ReadyTag>::unlink();
  }
  if (strand) resume(*strand);
  jobs_left_ = 0;
}

namespace {

Hub* explored() noexcept {
  Hub* hub = Hub::here();
  if (hub && hub->exploration() && hub->current() == &hub->exploration()->conductor) {
    return hub;
  }
  PyErr_SetString(PyExc_RuntimeError, "only who explores may say what comes next");
  return nullptr;
}

bool nanos_of(PyObject* number, Nanos& nanos) noexcept {
  nanos = PyLong_AsLongLong(number);
  return nanos != -1 || !PyErr_Occurred();
}

// Whom it is called by: a task where there is one.
PyObject* key_of(Job* job, const Strand* strand) noexcept {
  PyObject* handle = job ? job->handle() : reinterpret_cast<PyObject*>(strand->task);
  if (handle) return py::new_ref(handle);
  return strand ? PyLong_FromUnsignedLongLong(strand->number()) : py::none();
}

}  // namespace

PyObject* py_explore_begin(PyObject*, PyObject*) noexcept {
  Hub* hub = Hub::create();
  if (!hub) return nullptr;
  if (!can_park() || hub->exploration()) {
    PyErr_SetString(PyExc_RuntimeError,
                    "an exploration begins where a greenlet may wait, one at a time");
    return nullptr;
  }
  return hub->begin_exploration(*hub->current()) ? py::none() : nullptr;
}

PyObject* py_explore_end(PyObject*, PyObject*) noexcept {
  Hub* hub = explored();
  if (!hub) return nullptr;
  hub->end_exploration();
  return py::none();
}

PyObject* py_explore_ready(PyObject*, PyObject*) noexcept {
  Hub* hub = explored();
  py::Object list(hub ? PyList_New(0) : nullptr);
  if (!list) return nullptr;
  bool whole = true;
  hub->for_each_ready([&](Job* job, Strand* strand) noexcept {
    const py::Object key(key_of(job, strand));
    return whole = key && PyList_Append(list.get(), key.get()) == 0;
  });
  return whole ? list.release() : nullptr;
}

PyObject* py_explore_run(PyObject*, PyObject* index) noexcept {
  Hub* hub = explored();
  if (!hub) return nullptr;
  hub->exploration()->chosen = PyLong_AsSsize_t(index);
  if (hub->exploration()->chosen == -1 && PyErr_Occurred()) return nullptr;
  return hub->explore(Exploration::Order::Run) ? py::none() : nullptr;
}

PyObject* py_explore_poll(PyObject*, PyObject* nanos) noexcept {
  Hub* hub = explored();
  if (!hub || !nanos_of(nanos, hub->exploration()->nanos)) return nullptr;
  return hub->explore(Exploration::Order::Poll) ? py::none() : nullptr;
}

PyObject* py_explore_next(PyObject*, PyObject*) noexcept {
  Hub* hub = explored();
  if (!hub) return nullptr;
  const Nanos next = hub->loop().next_timer();
  return next == kNever ? py::none() : PyLong_FromLongLong(next);
}

PyObject* py_explore_pass(PyObject*, PyObject* nanos) noexcept {
  Hub* hub = explored();
  if (!hub || !nanos_of(nanos, hub->exploration()->nanos)) return nullptr;
  if (!hub->explore(Exploration::Order::Pass)) return nullptr;
  return PyLong_FromLong(hub->exploration()->fired);
}

// explore_thread(gate): native waits of this thread go through `gate()`; None: no more.
PyObject* py_explore_thread(PyObject*, PyObject* gate) noexcept {
  Clock* clock = nullptr;
  if (gate != Py_None) {
    for (Hub* hub : Hub::all()) {
      if (hub->exploration()) clock = &hub->exploration()->clock;
    }
  }
  set_clock_of_thread(clock);
  set_thread_gate(gate == Py_None ? nullptr : gate);
  return py::none();
}

PyObject* py_explore_threads(PyObject*, PyObject*) noexcept {
  py::Object list(PyList_New(0));
  if (!list) return nullptr;
  for (const GatedWait& each : gated_waits()) {
    const py::Object entry(Py_BuildValue(
        "kON", each.thread, each.granted ? Py_True : Py_False,
        each.deadline == kNever ? py::none() : PyLong_FromLongLong(each.deadline)));
    if (!entry || PyList_Append(list.get(), entry.get()) < 0) return nullptr;
  }
  return list.release();
}

PyObject* py_monotonic_ns(PyObject*, PyObject*) noexcept {
  return PyLong_FromLongLong(monotonic_now());
}

}  // namespace celadon::green
