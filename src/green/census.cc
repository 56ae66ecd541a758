#include "green/census.h"

#include "green/hub.h"
#include "green/lock.h"
#include "green/task.h"

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

PyObject* seconds_until(Nanos at, Nanos now) noexcept {
  if (at == kNever) return py::none();
  return PyFloat_FromDouble(static_cast<double>(at - now) / kSecond);
}

PyObject* or_none(PyObject* borrowed) noexcept {
  return borrowed ? py::new_ref(borrowed) : py::none();
}

PyObject* describe_job(const Strand& strand) noexcept {
  const std::string text = strand.job() ? strand.job()->describe() : std::string();
  if (text.empty()) return py::none();
  return PyUnicode_DecodeLatin1(text.data(), static_cast<Py_ssize_t>(text.size()),
                                nullptr);
}

PyObject* describe(const Hub& hub, const Strand& strand, Nanos now) noexcept {
  const bool parked = strand.state() == Strand::State::Parked;
  const FdWaits::Wanted wanted =
      parked ? hub.fd_waits().wanted_by(strand) : FdWaits::Wanted{-1, 0};
  const unsigned long ident =
      strand.is_main() ? hub.thread_id() : reinterpret_cast<unsigned long>(&strand);
  return Py_BuildValue(
      "{s:K,s:k,s:k,s:s,s:s,s:i,s:i,s:k,s:N,s:N,s:N,s:N,s:N,s:N}", "number",
      strand.number(), "ident", ident, "thread", hub.thread_id(), "state",
      name_of(strand.state()), "reason", parked ? name_of(strand.reason()) : nullptr,
      "fd", wanted.fd, "events", wanted.events, "owner",
      strand.lock ? strand.lock->owner() : 0UL, "wait_left",
      seconds_until(parked ? strand.wait_end() : kNever, now), "deadline_left",
      seconds_until(strand.deadline(), now), "age",
      strand.job() ? seconds_until(now, strand.job_began()) : py::none(), "job",
      describe_job(strand), "task", or_none(reinterpret_cast<PyObject*>(strand.task)),
      "greenlet", or_none(strand.parked_greenlet()));
}

}  // namespace

PyObject* py_running_job(PyObject*, PyObject*) noexcept {
  const Hub* hub = Hub::all().empty() ? nullptr : Hub::all().front();
  const Strand* strand = hub ? hub->current() : nullptr;
  if (!strand || !strand->job()) return py::none();
  const std::string text = strand->job()->describe();
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

}  // namespace celadon::green
