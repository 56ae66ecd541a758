// Signals as loop events. The handler only notes them and wakes the poll; the callback
// runs in the turn that follows, in the order of their arrival; one that came twice
// counts where it came last. One instance per process at a time.
#pragma once

#include <csignal>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "loop/loop.h"

namespace celadon::loop {

class SignalHandler {
 public:
  virtual ~SignalHandler() = default;
  virtual void on_signal(int signo) noexcept = 0;
};

class Signals final : public TurnHook {
 public:
  Signals(Loop& loop, SignalHandler& handler) noexcept;
  ~Signals() override;  // puts the former dispositions back

  // Also where whoever started us had blocked it.
  void watch(int signo) noexcept;
  // Likewise; a handler that was there, but the interpreter's, is called too. Whether
  // there is one.
  bool watch_beside(int signo, void (*interpreters)(int)) noexcept;
  // In the child of a fork: its signals are as they were before this process had a set.
  static void after_fork_in_child() noexcept;
  static constexpr std::size_t kMost = 10;  // of them

 private:
  void on_turn_end() noexcept override;
  void give_back() noexcept;
  struct Saved {
    int signo;
    struct sigaction action;
  };
  SignalHandler& handler_;
  std::vector<Saved> saved_;
};

}  // namespace celadon::loop
