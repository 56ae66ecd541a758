// The GIL around a poll that blocks, and around native waits.
#pragma once

#include "loop/block_hook.h"
#include "py/python.h"

namespace celadon::py {

class GilBlockHook final : public loop::BlockHook {
 public:
  void before_block() noexcept override { state_ = PyEval_SaveThread(); }
  void after_block() noexcept override { PyEval_RestoreThread(state_); }

 private:
  PyThreadState* state_ = nullptr;
};

// No other thread of Python's is there that could have the GIL. With the GIL.
[[nodiscard]] inline bool is_only_thread() noexcept {
  PyThreadState* first = PyInterpreterState_ThreadHead(PyInterpreterState_Get());
  return PyThreadState_Next(first) == nullptr;
}

// Gives the GIL away for a scope that makes no Python call and no switch.
class WithoutGil {
 public:
  WithoutGil() noexcept : state_(PyEval_SaveThread()) {}
  ~WithoutGil() { PyEval_RestoreThread(state_); }
  WithoutGil(const WithoutGil&) = delete;
  WithoutGil& operator=(const WithoutGil&) = delete;

 private:
  PyThreadState* state_;
};

}  // namespace celadon::py
