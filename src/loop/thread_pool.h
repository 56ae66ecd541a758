// Native threads for calls that block: run() on a pool thread, done() on the loop.
// Threads start with the first work and end with the pool. None of them takes the GIL.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "loop/loop.h"

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

  void submit(std::unique_ptr<PoolJob> job);
  // Whether a job is queued, runs, or ran and has not been told so.
  [[nodiscard]] bool busy() const noexcept { return pending_ > 0; }

  // After a fork, in the child: the threads are the parent's, forget them.
  void abandon() noexcept;

 private:
  void work() noexcept;

  Loop& loop_;
  const std::size_t limit_;
  std::mutex mutex_;
  std::condition_variable wanted_;
  std::deque<std::unique_ptr<PoolJob>> queue_;  // guarded by mutex_
  std::size_t idle_ = 0;                        // guarded by mutex_
  std::atomic<int> pending_{0};
  bool stopping_ = false;  // guarded by mutex_
  std::vector<std::thread> threads_;
};

}  // namespace celadon::loop
