// Whom `threading` takes a greenlet for.
//
// To it each greenlet is a thread of its own, but for those that call what an asyncio
// loop of ours has to call: they are one, namely who runs that loop. So `get_ident`,
// `current_thread` and `threading.local` are the same in all steps of all its tasks, as
// on a loop that has a thread to itself.
//
// There a step is over before the next one begins. Here one may wait in a call that
// blocks, and others run meanwhile. What they must not share with it is told by the
// number of its step: a lock that it has taken is not theirs (lock.h), nor is what it
// has looked at in a `threading.local` (local.cc). Once it is over, both are the
// loop's.
#pragma once

#include <cstdint>

#include "py/ref.h"

namespace celadon::green {

class Strand;

// As threading.get_ident has it, of what runs here and of another.
[[nodiscard]] unsigned long thread_ident() noexcept;
[[nodiscard]] unsigned long thread_ident_of(const Strand& strand) noexcept;
// Of what runs here; 0: of no loop.
[[nodiscard]] std::uint64_t current_step() noexcept;
// Whether another greenlet of this thread is in the middle of it.
[[nodiscard]] bool is_under_way(std::uint64_t step) noexcept;

// current_owner(): what has the locks that are taken here, whatever `threading` says.
[[nodiscard]] PyObject* py_current_owner(PyObject*, PyObject*) noexcept;
[[nodiscard]] PyObject* py_get_ident(PyObject*, PyObject*) noexcept;
// slot_thread(factory): the thread object of what runs here, made on first use; None
// outside of runners.
[[nodiscard]] PyObject* py_slot_thread(PyObject*, PyObject* factory) noexcept;
// thread_of(ident): the native thread that this greenlet runs in; 0: it is none.
[[nodiscard]] PyObject* py_thread_of(PyObject*, PyObject* ident) noexcept;
// interrupt_owner(ident, exception): False where that greenlet runs just now, or is
// gone.
[[nodiscard]] PyObject* py_interrupt_owner(PyObject*, PyObject* args) noexcept;
// interrupt_thread(ident, exception): likewise, to who is that thread. Of a loop it is
// a step that waits.
[[nodiscard]] PyObject* py_interrupt_thread(PyObject*, PyObject* args) noexcept;

}  // namespace celadon::green
