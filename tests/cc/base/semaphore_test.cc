#include "base/semaphore.h"

#include <gtest/gtest.h>
#include <pthread.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <thread>

namespace celadon {
namespace {

Nanos now() {
  return SystemClock().now();
}

TEST(Semaphore, WhatWasPostedIsTakenOnceEach) {
  Semaphore semaphore;
  semaphore.post();
  semaphore.post();
  EXPECT_EQ(semaphore.wait(kNever), 0);
  EXPECT_EQ(semaphore.wait(now() - 1), 0);  // there, so it does not matter how late
  EXPECT_EQ(semaphore.wait(now()), ETIMEDOUT);
}

TEST(Semaphore, AWaitEndsAtItsPointOfTheMonotonicClock) {
  Semaphore semaphore;
  const Nanos deadline = now() + 5 * kMillisecond;
  EXPECT_EQ(semaphore.wait(deadline), ETIMEDOUT);
  EXPECT_GE(now(), deadline);
}

TEST(Semaphore, OneThreadIsWokenByEachPost) {
  Semaphore there;
  Semaphore back;
  std::thread other([&] {
    for (int i = 0; i < 1000; ++i) {
      EXPECT_EQ(there.wait(kNever), 0);
      back.post();
    }
  });
  for (int i = 0; i < 1000; ++i) {
    there.post();
    EXPECT_EQ(back.wait(kNever), 0);
  }
  other.join();
}

TEST(Semaphore, ASignalThatIsHandledBreaksAWaitOff) {
  struct sigaction handled{};
  handled.sa_handler = [](int) {};
  struct sigaction before{};
  ASSERT_EQ(::sigaction(SIGUSR1, &handled, &before), 0);
  Semaphore semaphore;
  std::atomic<bool> ended{false};
  int result = -1;
  std::thread other([&] {
    result = semaphore.wait(kNever);
    ended = true;
  });
  // Until one came while it waited.
  while (!ended) {
    ::pthread_kill(other.native_handle(), SIGUSR1);
    std::this_thread::yield();
  }
  other.join();
  EXPECT_EQ(result, EINTR);
  ::sigaction(SIGUSR1, &before, nullptr);
}

}  // namespace
}  // namespace celadon
