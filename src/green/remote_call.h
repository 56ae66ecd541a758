// How a native thread does what only the thread of a hub may do.
#pragma once

#include <concepts>
#include <functional>

#include "green/hub.h"

namespace celadon::green {

// Runs `call` in a greenlet of `hub` while this thread, another one, waits for its end.
// What it returns or raises is returned or raised here.
[[nodiscard]] PyObject* call_in(Hub& hub, std::function<PyObject*()> call) noexcept;

// Likewise, and at once where this is the hub's thread.
[[nodiscard]] PyObject* in_thread_of(Hub& hub, std::invocable auto&& call) noexcept {
  if (hub.thread_id() == PyThread_get_thread_ident()) return call();
  return call_in(hub, call);
}

}  // namespace celadon::green
