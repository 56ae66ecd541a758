#include "master/commons.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "master/letter_kind.h"

namespace celadon::master {
namespace {

constexpr Nanos kNow = 1000 * kSecond;

struct CommonsTest : testing::Test {
  void SetUp() override {
    ASSERT_TRUE(commons);
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    mine = net::OwnedFd(ends[0]);
    theirs = net::OwnedFd(ends[1]);
  }
  void serve(std::size_t slot) {
    commons->slab().lease(slot, 0);
    commons->slot(slot).state.store(metrics::SlotState::Ready);
  }
  [[nodiscard]] int waiting(std::size_t slot) {
    int count = 0;
    while (commons->mailbox(slot).take(note)) ++count;
    return count;
  }
  std::expected<Commons, Error> commons = Commons::make(3);
  net::Mailbox::Note note{};
  net::OwnedFd mine;
  net::OwnedFd theirs;
};

TEST_F(CommonsTest, TurnsGoRound) {
  EXPECT_FALSE(commons->pass(theirs.get(), note, 0, kNow));
  serve(0);
  serve(1);
  serve(2);
  for (int i = 0; i < 6; ++i) {
    EXPECT_TRUE(commons->pass(theirs.get(), note, 0, kNow));
  }
  EXPECT_EQ(commons->slot(1).coming.load(), 3);
  EXPECT_EQ(waiting(0), 0);
  EXPECT_EQ(waiting(1), 3);
  EXPECT_EQ(waiting(2), 3);
}

TEST_F(CommonsTest, WhatADeadOneDidNotReadGoesToOthers) {
  serve(1);
  for (int i = 0; i < 4; ++i) {
    EXPECT_TRUE(commons->pass(theirs.get(), note, 0, kNow));
  }
  commons->slab().take_back(1);
  commons->forward(1, kNow);  // there is nobody: it stays
  EXPECT_EQ(commons->slot(1).coming.load(), 4);
  serve(2);
  commons->forward(1, kNow);
  EXPECT_EQ(commons->slot(1).coming.load(), 0);
  EXPECT_EQ(commons->slot(2).coming.load(), 4);
  EXPECT_EQ(waiting(1), 0);
  EXPECT_EQ(waiting(2), 4);
}

TEST_F(CommonsTest, S16AnOrderIsForItsOwnWorkerAlone) {
  serve(1);
  serve(2);
  const auto put_order = [this] {
    net::Mailbox::Note order{};
    set_kind(order, LetterKind::Report);
    ASSERT_TRUE(commons->mailbox(1).put(theirs.get(), order));
  };
  put_order();
  ASSERT_TRUE(commons->pass(theirs.get(), note, 2, kNow));
  commons->forward(1, kNow);  // one that is held: it may answer yet
  EXPECT_EQ(commons->slot(1).coming.load(), 0);
  EXPECT_EQ(commons->slot(2).coming.load(), 1);
  EXPECT_EQ(waiting(2), 1);
  EXPECT_EQ(waiting(1), 1);
  put_order();
  commons->slab().take_back(1);
  commons->forward(1, kNow);
  EXPECT_EQ(commons->slot(2).coming.load(), 1);
  EXPECT_EQ(waiting(2), 0);
  EXPECT_EQ(waiting(1), 0);
}

TEST_F(CommonsTest, AFullMailboxLosesNothing) {
  serve(1);
  int passed = 0;
  while (commons->pass(theirs.get(), note, 0, kNow)) ++passed;
  EXPECT_EQ(commons->slot(1).coming.load(), passed);
  // Half of them fit where somebody else has put some already.
  serve(2);
  commons->slab().take_back(1);
  for (int i = 0; i < passed / 2; ++i) {
    ASSERT_TRUE(commons->mailbox(2).put(theirs.get(), note));
  }
  commons->forward(1, kNow);
  EXPECT_EQ(waiting(1) + waiting(2), passed + passed / 2);
}

}  // namespace
}  // namespace celadon::master
