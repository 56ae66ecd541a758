#include "base/out_queue.h"

#include <gtest/gtest.h>

#include <array>
#include <string>
#include <utility>

#include "base/error.h"
#include "base/log.h"

namespace celadon {
namespace {

int released = 0;
Owner counting_owner() {
  return {&released, [](void* object) noexcept { ++*static_cast<int*>(object); }};
}

std::string all(const OutQueue& queue) {
  std::array<iovec, 16> pieces;
  std::string out;
  const std::size_t n = queue.gather(pieces);
  for (std::size_t i = 0; i < n; ++i) {
    out.append(static_cast<char*>(pieces[i].iov_base), pieces[i].iov_len);
  }
  return out;
}

TEST(OutQueue, KeepsOrderOverCopiedAndOwnedChunks) {
  OutQueue queue;
  queue.append_copy("head ");
  queue.append_owned("held", counting_owner());
  queue.append_copy(" tail");
  EXPECT_EQ(all(queue), "head held tail");
  EXPECT_EQ(queue.bytes(), 14U);
}

TEST(OutQueue, ConsumingInsideAChunkKeepsItsRest) {
  released = 0;
  OutQueue queue;
  queue.append_copy("abc");
  queue.append_owned("defg", counting_owner());
  queue.consume(2);
  EXPECT_EQ(all(queue), "cdefg");
  queue.consume(3);
  EXPECT_EQ(all(queue), "fg");
  EXPECT_EQ(released, 0);
  queue.consume(2);
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(released, 1);
}

TEST(OutQueue, AppendingToAPartlySentChunkIsFine) {
  OutQueue queue;
  queue.append_copy("abc");
  queue.consume(2);
  queue.append_copy("def");
  EXPECT_EQ(all(queue), "cdef");
}

TEST(OutQueue, WhatIsPassedOverIsKeptUntilSomethingIsConsumed) {
  released = 0;
  OutQueue queue;
  queue.append_copy("head");
  queue.append_owned("body", counting_owner());
  queue.append_copy("tail");
  queue.consume(1);
  queue.pass_over(5);
  EXPECT_EQ(all(queue), "dytail");
  EXPECT_EQ(queue.bytes(), 6U);
  queue.pass_over(2);
  queue.append_copy("+");
  EXPECT_EQ(all(queue), "tail+");
  EXPECT_EQ(released, 0);
  queue.consume(0);
  EXPECT_EQ(released, 1);
  EXPECT_EQ(all(queue), "tail+");
  queue.pass_over(5);
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(all(queue), "");
  queue.clear();
  queue.append_copy("as new");
  EXPECT_EQ(all(queue), "as new");
}

TEST(OutQueue, ManyChunksLeaveOneByOne) {
  released = 0;
  OutQueue queue;
  std::string wanted;
  for (int i = 0; i < 300; ++i) {
    const std::string number = std::to_string(i) + " ";
    queue.append_copy(number);
    queue.append_owned("held ", counting_owner());
    wanted += number + "held ";
    if (i % 3 > 0) continue;
    queue.consume(7);
    wanted.erase(0, 7);
  }
  std::string got;
  while (!queue.empty()) {
    const std::string some = all(queue).substr(0, 5);
    queue.consume(some.size());
    got += some;
  }
  EXPECT_EQ(got, wanted);
  EXPECT_EQ(released, 300);
}

TEST(OutPool, AQueueThatComesBackIsAsNew) {
  released = 0;
  OutPool pool;
  auto queue = pool.take();
  queue->append_copy("abc");
  queue->append_owned("defg", counting_owner());
  queue->consume(5);
  const OutQueue* const before = queue.get();
  pool.put(std::move(queue));
  EXPECT_EQ(released, 1);
  queue = pool.take();
  EXPECT_EQ(queue.get(), before);
  EXPECT_TRUE(queue->empty());
  queue->append_copy("next");
  EXPECT_EQ(all(*queue), "next");
}

TEST(OutQueue, APlaceForManyChunksIsGivenBackWithTheQueue) {
  constexpr int kMany = 1000;
  OutPool pool;
  auto queue = pool.take();
  for (int i = 0; i < kMany; ++i) queue->append_owned("x", counting_owner());
  const std::size_t full = queue->places();
  pool.put(std::move(queue));
  EXPECT_LT(pool.take()->places() * 10, full);
}

TEST(OutQueue, ReleasesEveryOwnerExactlyOnce) {
  released = 0;
  {
    OutQueue queue;
    queue.append_owned("", counting_owner());
    EXPECT_EQ(released, 1);
    queue.append_owned("x", counting_owner());
  }
  EXPECT_EQ(released, 2);
}

TEST(Log, EscapesWhatPeersSend) {
  EXPECT_EQ(escape_for_log("a\"\\\n\x7f\xff~ "), "a\\x22\\x5c\\x0a\\x7f\\xff~ ");
  EXPECT_EQ(escape_for_log("abcdef", 3), "abc...");
}

TEST(Error, EveryErrnoHasACauseInWords) {
  for (int err = 1; err < 134; ++err) {
    EXPECT_FALSE(describe(error_from_errno(err)).empty()) << err;
  }
}

}  // namespace
}  // namespace celadon
