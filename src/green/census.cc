#include "green/census.h"

#include <cstddef>

#include "green/asyncio_state.h"
#include "green/hub.h"
#include "green/identity.h"
#include "green/lock.h"
#include "green/task.h"
#include "py/type.h"

namespace celadon::green {
namespace {

const char* name_of(Strand::State state) noexcept {
  switch (state) {
    case Strand::State::Running: return "running";
    case Strand::State::Parked: return "parked";
    case Strand::State::Ready: return "ready";
    case Strand::State::Idle: return "idle";
    case Strand::State::Done: return "done";
  }
  return "";
}

const char* name_of(ParkReason reason) noexcept {
  switch (reason) {
    case ParkReason::Sleep: return "sleep";
    case ParkReason::Lock: return "lock";
    case ParkReason::Event: return "event";
    case ParkReason::Queue: return "queue";
    case ParkReason::Fd: return "descriptor";
    case ParkReason::Body: return "body";
    case ParkReason::Write: return "write";
    case ParkReason::Join: return "join";
    case ParkReason::Main: return "server";
    case ParkReason::Database: return "database";
    case ParkReason::Dns: return "dns";
    case ParkReason::Thread: return "thread";
  }
  return "";
}

// Made by the thousand, a hundred times a second in a profile: no dictionary, and
// unknown to the collector.
struct DescribedObject {
  PyObject_HEAD unsigned long long number;
  unsigned long ident;
  unsigned long known_ident;  // as `threading` has it
  unsigned long thread;
  const char* state;
  const char* reason;
  int fd;
  int events;
  unsigned long owner;
  PyObject* wait_left;
  PyObject* deadline_left;
  PyObject* age;
  PyObject* job;
  PyObject* callback;
  PyObject* task;
  PyObject* greenlet;
};
PyTypeObject* described_type = nullptr;

void described_dealloc(PyObject* self) noexcept {
  auto* d = reinterpret_cast<DescribedObject*>(self);
  for (PyObject* each : {d->wait_left, d->deadline_left, d->age, d->job, d->callback,
                         d->task, d->greenlet})
    py::drop(each);
  py::free_object(self);
}

#define MEMBER(name, type) \
  {#name, type, offsetof(DescribedObject, name), READONLY, nullptr}
PyMemberDef described_members[] = {MEMBER(number, T_ULONGLONG),
                                   MEMBER(ident, T_ULONG),
                                   MEMBER(known_ident, T_ULONG),
                                   MEMBER(thread, T_ULONG),
                                   MEMBER(state, T_STRING),
                                   MEMBER(reason, T_STRING),
                                   MEMBER(fd, T_INT),
                                   MEMBER(events, T_INT),
                                   MEMBER(owner, T_ULONG),
                                   MEMBER(wait_left, T_OBJECT),
                                   MEMBER(deadline_left, T_OBJECT),
                                   MEMBER(age, T_OBJECT),
                                   MEMBER(job, T_OBJECT),
                                   MEMBER(callback, T_OBJECT),
                                   MEMBER(task, T_OBJECT),
                                   MEMBER(greenlet, T_OBJECT),
                                   {nullptr, 0, 0, 0, nullptr}};
#undef MEMBER
PyType_Slot described_slots[] = {{Py_tp_dealloc, py::as_slot(described_dealloc)},
                                 {Py_tp_members, described_members},
                                 {0, nullptr}};
PyType_Spec described_spec{"celadon._core.Described", sizeof(DescribedObject), 0,
                           Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
                           described_slots};

// Null is None here.
PyObject* seconds_until(Nanos at, Nanos now) noexcept {
  return at == kNever ? nullptr
                      : PyFloat_FromDouble(static_cast<double>(at - now) / kSecond);
}

PyObject* ref_of(PyObject* borrowed) noexcept {
  return borrowed ? py::new_ref(borrowed) : nullptr;
}

PyObject* describe_job(const Strand& strand) noexcept {
  const std::string text = strand.work() ? strand.work()->describe() : std::string();
  if (text.empty()) return nullptr;
  return PyUnicode_DecodeLatin1(text.data(), static_cast<Py_ssize_t>(text.size()),
                                nullptr);
}

// What a loop of asyncio's has it call.
PyObject* describe_step(const Strand& strand) noexcept {
  if (!strand.handle()) return nullptr;
  const std::string text = describe_callback(strand.handle());
  return text.empty() ? nullptr
                      : PyUnicode_FromStringAndSize(
                            text.data(), static_cast<Py_ssize_t>(text.size()));
}

PyObject* describe(const Hub& hub, const Strand& strand, Nanos now) noexcept {
  auto* d =
      reinterpret_cast<DescribedObject*>(described_type->tp_alloc(described_type, 0));
  if (!d) return nullptr;
  const bool parked = strand.state() == Strand::State::Parked;
  d->number = strand.number();
  d->ident =
      strand.is_main() ? hub.thread_id() : reinterpret_cast<unsigned long>(&strand);
  d->known_ident = thread_ident_of(strand);
  d->thread = hub.thread_id();
  d->state = name_of(strand.state());
  d->reason = parked ? name_of(strand.reason()) : nullptr;
  d->fd = parked ? strand.wanted_fd : -1;
  d->events = d->fd < 0 ? 0 : strand.wanted;
  d->owner = strand.lock ? strand.lock->owner() : 0;
  d->wait_left = seconds_until(parked ? strand.wait_end() : kNever, now);
  d->deadline_left = seconds_until(strand.deadline(), now);
  d->age = strand.job() ? seconds_until(now, strand.job_began()) : nullptr;
  d->job = describe_job(strand);
  d->callback = describe_step(strand);
  d->task = ref_of(reinterpret_cast<PyObject*>(strand.task));
  d->greenlet = ref_of(strand.parked_greenlet());
  return reinterpret_cast<PyObject*>(d);
}

}  // namespace

PyObject* py_running_job(PyObject*, PyObject*) noexcept {
  const Hub* hub = Hub::all().empty() ? nullptr : Hub::all().front();
  const Strand* strand = hub ? hub->current() : nullptr;
  if (!strand || !strand->job()) return py::none();
  const std::string text = strand->work()->describe();
  return PyUnicode_DecodeLatin1(text.data(), static_cast<Py_ssize_t>(text.size()),
                                nullptr);
}

PyObject* py_greenlets(PyObject*, PyObject*) noexcept {
  py::Object list(PyList_New(0));
  if (!list) return nullptr;
  const Nanos now = monotonic_now();
  const auto add = [&](const Hub& hub, const Strand& strand) noexcept {
    const py::Object entry(describe(hub, strand, now));
    return entry && PyList_Append(list.get(), entry.get()) == 0;
  };
  for (Hub* hub : Hub::all()) {
    if (!add(*hub, hub->main_strand())) return nullptr;
    for (const auto& strand : hub->strands()) {
      if (!add(*hub, *strand)) return nullptr;
    }
  }
  return list.release();
}

int add_described_type(PyObject* module) noexcept {
  described_type = py::add_type(module, described_spec);
  return described_type ? 0 : -1;
}

}  // namespace celadon::green
