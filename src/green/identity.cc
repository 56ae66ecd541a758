#include "green/identity.h"

#include <utility>

#include "green/hub.h"

namespace celadon::green {
namespace {

std::uint64_t last_step = 0;  // of the process; guarded by the GIL

unsigned long address_of(const Strand& strand) noexcept {
  return reinterpret_cast<unsigned long>(&strand);
}

// The greenlet that has this address and a job; null: none.
Strand* strand_at(unsigned long address) noexcept {
  for (Hub* hub : Hub::all()) {
    for (const auto& strand : hub->strands()) {
      if (address_of(*strand) == address && strand->job()) return strand.get();
    }
  }
  return nullptr;
}

// Who is that thread: of several, one that runs, else the first one that waits.
Strand* strand_known_as(unsigned long ident) noexcept {
  Strand* found = nullptr;
  for (Hub* hub : Hub::all()) {
    auto& all = hub->in_steps();
    for (Strand* each = all.front(); each; each = all.next(*each)) {
      if (thread_ident_of(*each) != ident) continue;
      if (each->state() == Strand::State::Running) return each;
      if (!found) found = each;
    }
  }
  if (found) return found;
  found = strand_at(ident);
  return found && thread_ident_of(*found) == ident ? found : nullptr;
}

bool interrupt(Strand* strand, PyObject* exception) noexcept {
  if (!strand || strand->state() == Strand::State::Running) return false;
  strand->interrupt(py::Object::copy(exception), nullptr);
  return true;
}

}  // namespace

void Strand::begin_step(PyObject* handle) noexcept {
  if (!step_alarms.empty()) end_step_alarms();
  // If the watchdog has seen one that takes long, it was the one before.
  if (handle_ && hub_.held().pending()) hub_.held().set_holder(describe());
  step_ = ++last_step;
  if (!ListHook<StepTag>::linked()) hub_.in_steps().push_back(*this);
  const py::Object before = std::exchange(handle_, py::Object::copy(handle));
}

void Strand::end_steps() noexcept {
  begin_step(nullptr);
  step_ = 0;
  ListHook<StepTag>::unlink();
}

void Strand::be_known_as(Strand* other) noexcept {
  known_as_ = other && other != this && &other->hub_ == &hub_ ? other : nullptr;
  if (known_as_) other->has_others_ = true;
}

void Strand::be_known_alone() noexcept {
  if (!std::exchange(has_others_, false)) return;
  for (const auto& each : hub_.strands()) {
    if (each->known_as_ != this) continue;
    each->known_as_ = nullptr;
    // What goes on in the middle of a step finds what it had with us no longer.
    if (each->step_ != 0) each->step_ = ++last_step;
  }
}

unsigned long thread_ident_of(const Strand& strand) noexcept {
  const Strand& known = strand.known_as();
  return known.is_main() ? known.hub().thread_id() : address_of(known);
}

unsigned long thread_ident() noexcept {
  const Strand* strand = current_strand();
  return strand ? thread_ident_of(*strand) : PyThread_get_thread_ident();
}

std::uint64_t current_step() noexcept {
  const Strand* strand = current_strand();
  return strand ? strand->step() : 0;
}

bool is_under_way(std::uint64_t step) noexcept {
  Hub* hub = Hub::here();
  if (!hub || step == 0) return false;
  auto& all = hub->in_steps();
  for (Strand* each = all.front(); each; each = all.next(*each)) {
    if (each->step() == step) return each != hub->current();
  }
  return false;
}

PyObject* py_get_ident(PyObject*, PyObject*) noexcept {
  return PyLong_FromUnsignedLong(thread_ident());
}

PyObject* py_current_owner(PyObject*, PyObject*) noexcept {
  return PyLong_FromUnsignedLong(current_ident());
}

PyObject* py_slot_thread(PyObject*, PyObject* factory) noexcept {
  Strand* here = current_strand();
  if (!here || here->known_as().is_main()) return py::none();
  Strand* known = &here->known_as();
  if (known->thread) return py::new_ref(known->thread.get());
  py::Object made(PyObject_CallFunction(factory, "K", known->number()));
  // It may have waited, until the loop had ended.
  if (made && &here->known_as() == known) known->thread = py::Object::copy(made.get());
  return made.release();
}

PyObject* py_thread_of(PyObject*, PyObject* ident) noexcept {
  const unsigned long wanted = PyLong_AsUnsignedLongMask(ident);
  if (PyErr_Occurred()) return nullptr;
  const Strand* strand = strand_at(wanted);
  return PyLong_FromUnsignedLong(strand ? strand->hub().thread_id() : 0);
}

PyObject* py_interrupt_owner(PyObject*, PyObject* args) noexcept {
  unsigned long ident = 0;
  PyObject* exception = nullptr;
  if (!PyArg_ParseTuple(args, "kO:interrupt_owner", &ident, &exception)) return nullptr;
  return py::boolean(interrupt(strand_at(ident), exception));
}

PyObject* py_interrupt_thread(PyObject*, PyObject* args) noexcept {
  unsigned long ident = 0;
  PyObject* exception = nullptr;
  if (!PyArg_ParseTuple(args, "kO:interrupt_thread", &ident, &exception))
    return nullptr;
  return py::boolean(interrupt(strand_known_as(ident), exception));
}

}  // namespace celadon::green
