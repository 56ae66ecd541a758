#include "http/h1/known_blocks.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "http/h1/parser.h"

namespace celadon::http::h1 {
namespace {

class KnownBlocksTest : public ::testing::Test {
 protected:
  // The number of the block that comes with this head; 0: none was given.
  std::uint64_t block_of(std::string head, KnownBlocks::Hint& hint) {
    head_ = std::move(head);
    parser_.reset(hint);
    EXPECT_EQ(parser_.feed(head_), HeadParser::Step::Done) << head_;
    EXPECT_EQ(parser_.consumed(), head_.size());
    return parser_.request().block;
  }
  std::string value(HeaderId id) {
    const Request& request = parser_.request();
    const Field* field = request.find(id);
    return field ? std::string(request.value(*field)) : "none";
  }

  std::string head_;  // the request points into it
  Limits limits_;
  KnownBlocks known_;
  HeadParser parser_{limits_, known_};
  KnownBlocks::Hint hint_;
};

const std::string kBlock = "Host: a\r\nCookie: one=1\r\nContent-Length: 5\r\n\r\n";

TEST_F(KnownBlocksTest, TheSameBytesHaveTheSameNumberAndFields) {
  const auto first = block_of("GET / HTTP/1.1\r\n" + kBlock, hint_);
  EXPECT_NE(first, 0U);
  EXPECT_EQ(block_of("POST /longer?x HTTP/1.1\r\n" + kBlock, hint_), first);
  EXPECT_EQ(value(HeaderId::Cookie), "one=1");
  EXPECT_EQ(parser_.request().body, BodyKind::Length);
  EXPECT_EQ(parser_.request().content_length, 5U);
  EXPECT_EQ(parser_.request().text(parser_.request().target), "/longer?x");
}

// Who remembers a number has the block for as long as requests bring it: a busy worker
// counts beyond 32 bits meanwhile.
static_assert(sizeof(BlockFacts::block) == sizeof(std::uint64_t));

TEST_F(KnownBlocksTest, AnyOtherByteMakesAnotherBlock) {
  const auto first = block_of("GET / HTTP/1.1\r\n" + kBlock, hint_);
  std::string other = kBlock;
  other[other.find("one=1") + 4] = '2';
  EXPECT_NE(block_of("GET / HTTP/1.1\r\n" + other, hint_), first);
  EXPECT_EQ(value(HeaderId::Cookie), "one=2");
}

TEST_F(KnownBlocksTest, ABlockThatBeginsAlikeIsNotTakenForIt) {
  const std::string begin = kBlock.substr(0, kBlock.size() - 2);
  const auto first = block_of("GET / HTTP/1.1\r\n" + kBlock, hint_);
  EXPECT_NE(block_of("GET / HTTP/1.1\r\n" + begin + "Range: x\r\n\r\n", hint_), first);
  EXPECT_EQ(value(HeaderId::Range), "x");
  EXPECT_NE(block_of("GET / HTTP/1.1\r\nHost: a\r\n\r\n", hint_), first);
  EXPECT_EQ(value(HeaderId::Cookie), "none");
}

TEST_F(KnownBlocksTest, Http10IsReadAnew) {
  block_of("GET / HTTP/1.1\r\n" + kBlock, hint_);
  EXPECT_EQ(block_of("GET / HTTP/1.0\r\n" + kBlock, hint_), 0U);
  EXPECT_TRUE(parser_.request().close);
}

TEST_F(KnownBlocksTest, LargeOnesAreNotKept) {
  const std::string large =
      "Host: a\r\nCookie: " + std::string(KnownBlocks::kLongest, 'x') + "\r\n\r\n";
  EXPECT_EQ(block_of("GET / HTTP/1.1\r\n" + large, hint_), 0U);
}

TEST_F(KnownBlocksTest, AConnectionWhoseBlocksAlwaysDifferIsLeftAlone) {
  std::uint64_t last = 1;
  for (int i = 0; i < 10; ++i) {
    last = block_of(
        "GET / HTTP/1.1\r\nHost: a\r\nCookie: " + std::to_string(i) + "\r\n\r\n",
        hint_);
  }
  EXPECT_EQ(last, 0U);
  KnownBlocks::Hint another;
  EXPECT_NE(block_of("GET / HTTP/1.1\r\n" + kBlock, another), 0U);
}

TEST_F(KnownBlocksTest, ANewConnectionKnowsWhatTheLastOneSent) {
  const auto first = block_of("GET / HTTP/1.1\r\n" + kBlock, hint_);
  KnownBlocks::Hint another;
  EXPECT_EQ(block_of("GET / HTTP/1.1\r\n" + kBlock, another), first);
  known_.forget();
  EXPECT_NE(block_of("GET / HTTP/1.1\r\n" + kBlock, another), first);
}

TEST_F(KnownBlocksTest, WhatDidNotComeOfLateIsForgotten) {
  const std::string other = "Host: b\r\nRange: y\r\n\r\n";
  KnownBlocks::Hint another;
  const auto first = block_of("GET / HTTP/1.1\r\n" + kBlock, hint_);
  const auto second = block_of("GET / HTTP/1.1\r\n" + other, another);
  known_.forget_unused();
  EXPECT_EQ(block_of("GET / HTTP/1.1\r\n" + kBlock, hint_), first);
  known_.forget_unused();
  EXPECT_NE(block_of("GET / HTTP/1.1\r\n" + other, another), second);
  EXPECT_EQ(block_of("GET / HTTP/1.1\r\n" + kBlock, hint_), first);
  known_.forget_unused();
  EXPECT_FALSE(known_.empty());
  known_.forget_unused();
  EXPECT_TRUE(known_.empty());
}

}  // namespace
}  // namespace celadon::http::h1
