// Notices from a native thread that one slice holds the loop, and has the Python stack
// written that holds it. First form: the stack comes from faulthandler, by a signal to
// the loop's thread, so it needs no GIL. It wakes twice per period and costs the loop
// nothing.
#pragma once

#include <pthread.h>

#include <condition_variable>
#include <mutex>
#include <thread>

#include "green/hub.h"

namespace celadon::module {

class Watchdog {
 public:
  // Watches the calling thread, whose loop `hub` runs. `signo` is one that faulthandler
  // was registered for.
  Watchdog(green::Hub& hub, Nanos limit, int signo);
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;
  // After a fork, in the child: the thread is the parent's.
  void abandon() noexcept;

 private:
  void run() noexcept;
  void look() noexcept;

  green::Hub& hub_;
  const Nanos limit_;
  const int signo_;
  const pthread_t watched_;
  Nanos reported_ = 0;  // start of the slice that was reported last
  std::mutex mutex_;
  std::condition_variable stop_;
  bool stopping_ = false;  // guarded by mutex_
  std::thread thread_;
};

}  // namespace celadon::module
