// A native thread of ours. Signals belong to the main thread, so it gets none; one that
// the system has no room for is an error that its owner answers. A plain std::thread
// would end the process then: its constructor throws, and nothing here catches.
#pragma once

#include <pthread.h>

#include <cstddef>
#include <expected>
#include <functional>
#include <utility>

#include "base/error.h"

namespace celadon::loop {

class Thread {
 public:
  using Work = std::function<void()>;  // what may be moved alone, libc++ does not know

  Thread() noexcept = default;
  Thread(Thread&& other) noexcept
      : id_(other.id_), started_(std::exchange(other.started_, false)) {}
  ~Thread();  // of one that was joined or forgotten, or never ran
  Thread& operator=(Thread&&) = delete;

  // Runs `work` in a new thread. Not while it has one already.
  [[nodiscard]] std::expected<void, Error> start(Work work) noexcept;
  // Until the work has ended; nothing to do where none was started.
  void join() noexcept;
  // Whether it was started, and not joined or forgotten since.
  [[nodiscard]] bool started() const noexcept { return started_; }
  // After a fork, in the child: the thread is the parent's.
  void forget() noexcept { started_ = false; }
  // How many run their work now, in this process.
  [[nodiscard]] static std::size_t running() noexcept;

 private:
  pthread_t id_{};
  bool started_ = false;
};

}  // namespace celadon::loop
