#include "loop/thread_pool.h"

#include <new>

namespace celadon::loop {
namespace {

class Completion final : public Task {
 public:
  Completion(std::unique_ptr<PoolJob> job, std::atomic<int>& pending) noexcept
      : job_(std::move(job)), pending_(pending) {}
  void run() noexcept override {
    job_->done();
    --pending_;
  }

 private:
  std::unique_ptr<PoolJob> job_;
  std::atomic<int>& pending_;
};

}  // namespace

ThreadPool::~ThreadPool() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    queue_.clear();
  }
  wanted_.notify_all();
  for (Thread& thread : threads_) thread.join();
}

bool ThreadPool::submit(std::unique_ptr<PoolJob> job) {
  const std::lock_guard lock(mutex_);
  const bool wants_thread = idle_ <= queue_.size() && threads_.size() < limit_;
  if (wants_thread && !start_thread() && threads_.empty()) return false;
  queue_.push_back(std::move(job));
  ++pending_;
  wanted_.notify_one();
  return true;
}

bool ThreadPool::start_thread() noexcept {
  Thread thread;
  if (!thread.start([this]() noexcept { work(); })) return false;
  threads_.push_back(std::move(thread));
  return true;
}

void ThreadPool::abandon() noexcept {
  for (Thread& thread : threads_) thread.forget();
  threads_.clear();
  ::new (&mutex_) std::mutex();
  ::new (&wanted_) std::condition_variable();
  queue_.clear();
  idle_ = 0;
  pending_ = 0;
}

void ThreadPool::work() noexcept {
  std::unique_lock lock(mutex_);
  while (true) {
    ++idle_;
    wanted_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
    --idle_;
    if (stopping_) return;
    auto job = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    job->run();
    loop_.post(std::make_unique<Completion>(std::move(job), pending_));
    lock.lock();
  }
}

}  // namespace celadon::loop
