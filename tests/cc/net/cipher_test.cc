// A stream with a cipher before its socket.
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <string_view>

#include "../toy_cipher.h"
#include "net/stream.h"

namespace celadon::net {
namespace {

class CipherTest : public testing::Test, public StreamEvents {
 protected:
  CipherTest() {
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd_), 0);
    stream_ = std::make_unique<Stream>(fd_[0], *this, pool_);
    EXPECT_TRUE(stream_->attach(loop_));
  }
  ~CipherTest() override {
    stream_.reset();
    ::close(fd_[1]);
  }
  void on_readable() noexcept override {
    std::string some(most_, 0);
    const Io io = stream_->read(some);
    last_ = io.step;
    got_.append(some.data(), io.bytes);
    ++readable_;
  }
  void on_drained() noexcept override { ++drained_; }
  void on_hangup() noexcept override { ++hangups_; }

  void begin(std::string_view received = {}) {
    stream_->guard(std::make_unique<ToyCipher>(), received);
  }
  void shake() {
    begin();
    say(ToyCipher::kAsk);
    ASSERT_EQ(stream_->shake().step, Io::Step::Done);
    ASSERT_EQ(hear(), ToyCipher::kAnswer);
  }
  void say(std::string_view bytes) const {
    EXPECT_EQ(::send(fd_[1], bytes.data(), bytes.size(), 0),
              static_cast<ssize_t>(bytes.size()));
  }
  std::string hear() const {
    std::string all(1 << 20, 0);
    std::size_t filled = 0;
    ssize_t n = 0;
    while (filled < all.size() &&
           (n = ::recv(fd_[1], &all[filled], all.size() - filled, 0)) > 0) {
      filled += static_cast<std::size_t>(n);
    }
    all.resize(filled);
    return all;
  }
  void turns(int count) {
    for (int i = 0; i < count; ++i) {
      loop_.turn(0);
      loop_.settle();
    }
  }

  ManualClock clock_;
  loop::Loop loop_{loop::make_epoll_poller(), clock_};
  OutPool pool_;
  int fd_[2]{};
  std::unique_ptr<Stream> stream_;
  std::size_t most_ = 4096;
  std::string got_;
  Io::Step last_ = Io::Step::Done;
  int readable_ = 0;
  int drained_ = 0;
  int hangups_ = 0;
};

TEST_F(CipherTest, CarriesBytesBothWays) {
  shake();
  say(ToyCipher::sealed("ping"));
  turns(1);
  EXPECT_EQ(got_, "ping");
  EXPECT_EQ(stream_->send("po", "n", {}, "g").step, Io::Step::Done);
  EXPECT_EQ(ToyCipher::opened(hear()), "pong");
}

TEST_F(CipherTest, WhatLiesInMemoryIsToldOfInEachTurn) {
  shake();
  most_ = 1;
  say(ToyCipher::sealed("abcdef"));
  for (std::size_t i = 1; i <= 6; ++i) {
    turns(1);
    EXPECT_EQ(got_.size(), i) << "once in a turn";
  }
  turns(3);
  EXPECT_EQ(got_, "abcdef");
  EXPECT_LE(readable_, 7) << "the loop spins";
}

TEST_F(CipherTest, NobodyIsToldWhoDoesNotReadUntilHeDoes) {
  shake();
  most_ = 2;
  say(ToyCipher::sealed("abcdef"));
  turns(1);
  stream_->set_reading(false);
  turns(3);
  EXPECT_EQ(got_, "ab");
  stream_->set_reading(true);
  turns(3);
  EXPECT_EQ(got_, "abcdef");
}

TEST_F(CipherTest, WhatWasReadAlreadyIsForIt) {
  most_ = 3;
  begin(std::string(ToyCipher::kAsk) + ToyCipher::sealed("first "));
  say(ToyCipher::sealed("second"));
  EXPECT_EQ(stream_->shake().step, Io::Step::Done);
  turns(8);
  EXPECT_EQ(got_, "first second");
}

TEST_F(CipherTest, KeepsWhatTheKernelDoesNotTake) {
  shake();
  const std::string big(3 << 20, 'b');
  EXPECT_EQ(stream_->send("a", big, {}, "c").step, Io::Step::Again);
  EXPECT_GT(stream_->queued(), 0U);
  std::string sealed;
  for (int i = 0; i < 1000 && drained_ == 0; ++i) {
    turns(1);
    sealed += hear();
  }
  sealed += hear();
  EXPECT_EQ(drained_, 1);
  EXPECT_EQ(stream_->queued(), 0U);
  EXPECT_TRUE(ToyCipher::opened(sealed) == "a" + big + "c");
  EXPECT_FALSE(stream_->waits_to_write());
}

TEST_F(CipherTest, WhatIsHeldBackLeavesAsOne) {
  shake();
  stream_->send("a", {}, {}, {}, Leave::AtTurnEnd);
  stream_->send("b", {}, {}, {}, Leave::AtTurnEnd);
  EXPECT_EQ(hear(), "");
  EXPECT_EQ(stream_->flush().step, Io::Step::Done);
  EXPECT_EQ(ToyCipher::opened(hear()), "ab");
}

TEST_F(CipherTest, AFileGoesThroughItToo) {
  shake();
  char name[] = "/tmp/celadon-cipher-XXXXXX";
  const int file = ::mkstemp(name);
  ::unlink(name);
  std::string text(50'000, 'f');
  text[0] = 'F';
  ASSERT_EQ(::write(file, text.data(), text.size()), 50'000);
  off_t offset = 0;
  std::string sealed;
  for (int i = 0; i < 1000 && offset < 50'000; ++i) {
    const Io io = stream_->send_file(file, offset,
                                     text.size() - static_cast<std::size_t>(offset));
    EXPECT_NE(io.step, Io::Step::Failed);
    sealed += hear();
    turns(1);
  }
  EXPECT_EQ(stream_->send_file(file, offset, 1).step, Io::Step::Eof);
  EXPECT_TRUE(ToyCipher::opened(sealed + hear()) == text);
  ::close(file);
}

TEST_F(CipherTest, SaysGoodbyeBeforeItShuts) {
  shake();
  stream_->shutdown_write();
  EXPECT_EQ(hear(), std::string(1, '\0'));
  char one = 0;
  EXPECT_EQ(::recv(fd_[1], &one, 1, 0), 0);
}

TEST_F(CipherTest, StaysForThoseWhoAskWhenTheStreamIsClosed) {
  shake();
  const std::string big(3 << 20, 'b');
  EXPECT_EQ(stream_->send(big, {}, {}, {}).step, Io::Step::Again);
  say(ToyCipher::sealed("more"));
  const Cipher* cipher = stream_->cipher();
  stream_->close();
  EXPECT_EQ(stream_->cipher(), cipher);
  EXPECT_EQ(stream_->queued(), 0U);
  turns(2);
  EXPECT_EQ(got_, "");
}

TEST_F(CipherTest, AHandshakeThatFailsSaysSo) {
  begin();
  say("nonsense");
  EXPECT_EQ(stream_->shake().step, Io::Step::Failed);
  EXPECT_EQ(hear(), "alert!");
}

TEST_F(CipherTest, WhoseHandshakeMeetsPlainTextMaySpeakPlainly) {
  begin();
  say("GET / HTTP/1.1");
  EXPECT_EQ(stream_->shake().step, Io::Step::Failed);
  EXPECT_TRUE(stream_->cipher()->met_plain_http());
  stream_->unguard();
  EXPECT_EQ(stream_->cipher(), nullptr);
  stream_->send("in the clear", {}, {}, {});
  EXPECT_EQ(hear(), "in the clear");
}

}  // namespace
}  // namespace celadon::net
