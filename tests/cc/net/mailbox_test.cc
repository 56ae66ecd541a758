#include "net/mailbox.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <string>

namespace celadon::net {
namespace {

using Note = Mailbox::Note;

Note note_of(int n) {
  Note note{};
  note[0] = static_cast<std::byte>(n);
  return note;
}

struct MailboxTest : testing::Test {
  MailboxTest() {
    int ends[2];
    [[maybe_unused]] const int made = ::socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
    mine = OwnedFd(ends[0]);
    theirs = OwnedFd(ends[1]);
  }
  std::expected<Mailbox, Error> box = Mailbox::make();
  OwnedFd mine;
  OwnedFd theirs;
};

TEST_F(MailboxTest, ADescriptorArrivesInAnotherProcessWithItsNote) {
  ASSERT_TRUE(box);
  ASSERT_TRUE(box->put(theirs.get(), note_of(7)));
  theirs.close();  // what is in the queue stays open
  const pid_t child = ::fork();
  if (child == 0) {
    mine.close();
    Note note{};
    const auto fd = box->take(note);
    const bool good = fd && note == note_of(7) && ::write(fd->get(), "hi", 2) == 2 &&
                      (::fcntl(fd->get(), F_GETFD) & FD_CLOEXEC) != 0;
    ::_exit(good ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  char text[4] = {};
  EXPECT_EQ(::read(mine.get(), text, sizeof text), 2);
  EXPECT_EQ(::read(mine.get(), text, sizeof text), 0);
}

TEST_F(MailboxTest, WhatADeadProcessLeftIsForTheNext) {
  ASSERT_TRUE(box);
  const pid_t child = ::fork();
  if (child == 0) {
    [[maybe_unused]] const bool put = box->put(theirs.get(), note_of(1));
    ::_exit(0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  Note note{};
  EXPECT_TRUE(box->take(note));
  EXPECT_EQ(note, note_of(1));
  EXPECT_FALSE(box->take(note));
}

TEST_F(MailboxTest, AFullOneSaysSoAndKeepsTheOrder) {
  ASSERT_TRUE(box);
  int put = 0;
  while (put < 100'000 && box->put(theirs.get(), note_of(put))) ++put;
  ASSERT_GE(put, 16);
  ASSERT_LT(put, 100'000);
  for (int i = 0; i < put; ++i) {
    Note note{};
    ASSERT_TRUE(box->take(note));
    EXPECT_EQ(note, note_of(i));
  }
  EXPECT_TRUE(box->put(theirs.get(), note_of(0)));
}

TEST_F(MailboxTest, WithItGoesWhatLiesInIt) {
  ASSERT_TRUE(box);
  ASSERT_TRUE(box->put(theirs.get(), note_of(2)));
  theirs.close();
  box = std::unexpected(Error::Other);
  char byte = 0;
  EXPECT_EQ(::recv(mine.get(), &byte, 1, MSG_DONTWAIT), 0);  // nobody holds it any more
}

}  // namespace
}  // namespace celadon::net
