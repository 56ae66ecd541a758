// Native threads for calls that block: run() on a pool thread, done() on the loop.
// Threads start with the first work and end with the pool; where the system has no room
// for another one, those that there are do the work. None of them takes the GIL.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <vector>

#include "loop/loop.h"
#include "loop/thread.h"

namespace celadon::loop {

class PoolJob {
 public:
  virtual ~PoolJob() = default;
  virtual void run() noexcept = 0;   // pool thread
  virtual void done() noexcept = 0;  // loop thread, after run
};

class ThreadPool {
 public:
  ThreadPool(Loop& loop, std::size_t threads) noexcept : loop_(loop), limit_(threads) {}
  ~ThreadPool();  // waits for the jobs that run; those still queued are dropped
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  // False: there is no thread and none can be started, so the job was dropped.
  [[nodiscard]] bool submit(std::unique_ptr<PoolJob> job);
  // Whether a job is queued, runs, or ran and has not been told so.
  [[nodiscard]] bool busy() const noexcept { return pending_ > 0; }

  // After a fork, in the child: the threads are the parent's, forget them.
  void abandon() noexcept;

 private:
  [[nodiscard]] bool start_thread() noexcept;
  void work() noexcept;

  Loop& loop_;
  const std::size_t limit_;
  std::mutex mutex_;
  std::condition_variable wanted_;
  std::deque<std::unique_ptr<PoolJob>> queue_;  // guarded by mutex_
  std::size_t idle_ = 0;                        // guarded by mutex_
  std::atomic<int> pending_{0};
  bool stopping_ = false;  // guarded by mutex_
  std::vector<Thread> threads_;
};

}  // namespace celadon::loop
