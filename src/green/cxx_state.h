// What C++ keeps with the thread about exceptions: those that were caught and not let
// go of yet, and how many are on their way. It belongs to the calls that are under way,
// so it is put aside while their greenlet is parked: another one's `throw;` would throw
// it.
#pragma once

#include <dlfcn.h>

#include <utility>

namespace celadon::green {

class CxxAside {
 public:
  CxxAside() noexcept : of_thread_(state()), kept_(std::exchange(of_thread_, {})) {}
  ~CxxAside() { of_thread_ = kept_; }
  CxxAside(const CxxAside&) = delete;
  CxxAside& operator=(const CxxAside&) = delete;

 private:
  // As the ABI has it.
  struct State {
    void* caught = nullptr;
    unsigned int on_their_way = 0;
  };
  using Find = State* (*)();

  // Of the library that greenlet and other extensions throw by. In a wheel we have one
  // of our own, which nothing is thrown by.
  static Find find() noexcept {
    void* library = ::dlopen("libstdc++.so.6", RTLD_LAZY | RTLD_NOLOAD);
    void* found = library ? ::dlsym(library, "__cxa_get_globals") : nullptr;
    return found ? reinterpret_cast<Find>(found) : [] {
      static thread_local State nobodys;
      return &nobodys;
    };
  }
  static State& state() noexcept {
    static const Find found = find();  // greenlet is there when the first one parks
    return *found();
  }

  State& of_thread_;
  State kept_;
};

}  // namespace celadon::green
