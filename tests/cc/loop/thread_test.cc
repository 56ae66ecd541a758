// Native threads, and what becomes of work where none can be started.
#include "loop/thread.h"

#include <gtest/gtest.h>

#include <atomic>
#include <csignal>
#include <memory>

#include "../no_threads.h"
#include "loop/loop.h"
#include "loop/thread_pool.h"

namespace celadon::loop {
namespace {

TEST(Thread, RunsItsWorkWithoutSignals) {
  std::atomic<bool> blocked = false;
  Thread thread;
  EXPECT_FALSE(thread.started());
  ASSERT_TRUE(thread.start([&]() noexcept {
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, nullptr, &mask);
    blocked = sigismember(&mask, SIGTERM) == 1 && sigismember(&mask, SIGUSR1) == 1;
  }));
  EXPECT_TRUE(thread.started());
  thread.join();
  EXPECT_FALSE(thread.started());
  EXPECT_TRUE(blocked);
  sigset_t mask;
  pthread_sigmask(SIG_SETMASK, nullptr, &mask);
  EXPECT_EQ(sigismember(&mask, SIGTERM), 0);
}

TEST(Thread, C17OneThatCannotStartIsAnError) {
  Thread thread;
  {
    const NoThreads none;
    const auto started = thread.start([]() noexcept {});
    ASSERT_FALSE(started);
    EXPECT_EQ(started.error(), Error::NoThreads);
  }
  EXPECT_FALSE(thread.started());
  ASSERT_TRUE(thread.start([]() noexcept {}));  // there is room again
  thread.join();
}

class Counted final : public PoolJob {
 public:
  explicit Counted(int& done) noexcept : done_(done) {}
  void run() noexcept override {}
  void done() noexcept override { ++done_; }

 private:
  int& done_;
};

class ThreadPoolTest : public testing::Test {
 protected:
  SystemClock clock_;
  Loop loop_{make_epoll_poller(), clock_};
  ThreadPool pool_{loop_, 3};
  int done_ = 0;
};

TEST_F(ThreadPoolTest, C17WithoutAnyThreadAJobIsRefused) {
  {
    const NoThreads none;
    EXPECT_FALSE(pool_.submit(std::make_unique<Counted>(done_)));
    EXPECT_FALSE(pool_.busy());
  }
  ASSERT_TRUE(pool_.submit(std::make_unique<Counted>(done_)));
  while (done_ < 1) loop_.turn(kNever);
}

TEST_F(ThreadPoolTest, C17FewerThreadsDoAllOfIt) {
  ASSERT_TRUE(pool_.submit(std::make_unique<Counted>(done_)));
  const NoThreads no_more;
  for (int i = 1; i < 50; ++i) {
    ASSERT_TRUE(pool_.submit(std::make_unique<Counted>(done_)));
  }
  while (done_ < 50) loop_.turn(kNever);
  EXPECT_FALSE(pool_.busy());
}

}  // namespace
}  // namespace celadon::loop
