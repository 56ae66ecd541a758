// The hooks of asynchronous generators, which CPython keeps with the thread: what
// sys.set_asyncgen_hooks sets, for a change that is to cost nothing.
#pragma once

#include <utility>

#include "py/ref.h"

namespace celadon::py {

struct AsyncGenHooks {
  Object firstiter;
  Object finalizer;

  // Those of this thread become these, and these become the thread's.
  void swap() noexcept {
    PyThreadState* thread = PyThreadState_Get();
    firstiter = Object(std::exchange(thread->async_gen_firstiter, firstiter.release()));
    finalizer = Object(std::exchange(thread->async_gen_finalizer, finalizer.release()));
  }
};

}  // namespace celadon::py
