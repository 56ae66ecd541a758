// What C++ keeps with the thread about exceptions: those that were caught and not let
// go of yet, and how many are on their way. It belongs to the calls that are under way,
// so it is put aside while their greenlet is parked: another one's `throw;` would throw
// it.
#pragma once

#include <cxxabi.h>

#include <utility>

namespace celadon::green {

class CxxAside {
 public:
  CxxAside() noexcept
      : of_thread_(*reinterpret_cast<State*>(abi::__cxa_get_globals())),
        kept_(std::exchange(of_thread_, {})) {}
  ~CxxAside() { of_thread_ = kept_; }
  CxxAside(const CxxAside&) = delete;
  CxxAside& operator=(const CxxAside&) = delete;

 private:
  // As the ABI has it.
  struct State {
    void* caught = nullptr;
    unsigned int on_their_way = 0;
  };
  State& of_thread_;
  State kept_;
};

}  // namespace celadon::green
