#include "base/log_ring.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <string>
#include <thread>

#include "base/line_file.h"
#include "base/shared_memory.h"

namespace celadon {
namespace {

constexpr std::size_t kCapacity = 64;

struct LogRingTest : ::testing::Test {
  [[nodiscard]] std::string take() {
    const auto [first, second] = ring.peek();
    std::string text(first);
    text += second;
    ring.take(text.size());
    return text;
  }
  SharedMemory memory = SharedMemory::make(LogRing::footprint(kCapacity));
  LogRing ring{memory.get(), kCapacity};
};

TEST_F(LogRingTest, LinesComeOutInOrderAroundTheEnd) {
  std::string in;
  std::string out;
  for (int i = 0; i < 1000; ++i) {
    const std::string line = std::string(static_cast<std::size_t>(i % 29), 'x') + "\n";
    ASSERT_TRUE(ring.put(line));
    in += line;
    if (i % 2 == 1) out += take();  // mostly not empty when the next one comes
  }
  EXPECT_EQ(out + take(), in);
  EXPECT_EQ(ring.dropped(), 0U);
}

TEST_F(LogRingTest, AFullRingRefusesAndCounts) {
  EXPECT_TRUE(ring.put(std::string(60, 'a')));
  EXPECT_FALSE(ring.put("12345"));
  EXPECT_TRUE(ring.put("1234"));
  EXPECT_EQ(ring.dropped(), 1U);
  EXPECT_EQ(take().size(), kCapacity);
  EXPECT_TRUE(ring.put("12345"));
}

TEST_F(LogRingTest, AReaderThatKeepsUpFindsItAtTheBeginning) {
  const void* start = nullptr;
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(ring.put("a line\n"));
    const void* at = ring.peek().first.data();
    EXPECT_TRUE(!start || at == start);
    start = at;
    EXPECT_EQ(take(), "a line\n");
  }
}

TEST_F(LogRingTest, OneThreadWritesWhileAnotherReads) {
  constexpr int kLines = 20000;
  std::string got;
  std::thread reader([&] {
    while (!got.ends_with("end\n")) got += take();
  });
  std::string sent;
  for (int i = 0; i <= kLines; ++i) {
    const std::string line = i == kLines ? "end\n" : std::to_string(i) + "\n";
    while (!ring.has_room(line.size())) std::this_thread::yield();
    ASSERT_TRUE(ring.put(line));
    sent += line;
  }
  reader.join();
  EXPECT_EQ(got, sent);
}

TEST_F(LogRingTest, MadePrivateItIsAsItWas) {
  ASSERT_TRUE(ring.put("before\n"));
  memory.make_private();
  EXPECT_EQ(take(), "before\n");
}

// --- files ---

struct Pipe {
  Pipe() { EXPECT_EQ(::pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0); }
  ~Pipe() {
    ::close(ends[0]);
    if (ends[1] >= 0) ::close(ends[1]);
  }
  [[nodiscard]] std::string read() const {
    char block[65536];
    const ssize_t n = ::read(ends[0], block, sizeof block);
    return n > 0 ? std::string(block, static_cast<std::size_t>(n)) : "";
  }
  int ends[2];
};

TEST(LineFileTest, APipeTakesWholeLines) {
  Pipe pipe;
  auto file = LineFile::open("-", pipe.ends[1]);
  ASSERT_TRUE(file);
  // Full but for a page: the lines that fit go, none is cut.
  const std::string line = std::string(999, 'x') + "\n";
  std::string lines;
  for (int i = 0; i < 200; ++i) lines += line;
  const auto written = file->write_all(lines, 0);
  EXPECT_FALSE(written.failed);
  EXPECT_GT(written.bytes, 0U);
  EXPECT_LT(written.bytes, lines.size());
  EXPECT_EQ(written.bytes % line.size(), 0U);
  // The descriptor of everyone else is as it was.
  EXPECT_EQ(::fcntl(pipe.ends[1], F_GETFL) & O_NONBLOCK, O_NONBLOCK);
}

TEST(LineFileTest, WhatAPipeTookIsKnownAtOnce) {
  Pipe pipe;
  auto file = LineFile::open("-", pipe.ends[1]);
  std::string lines;
  for (int i = 0; i < 200; ++i) lines += std::string(999, 'x') + "\n";
  std::size_t count = 0;
  while (const std::size_t n = file->write(lines).bytes) {
    EXPECT_EQ(n, 4000U);
    ++count;
  }
  EXPECT_GE(count, 16U);
  EXPECT_FALSE(file->wait(0));
  EXPECT_EQ(pipe.read().size(), count * 4000);
  EXPECT_TRUE(file->wait(0));
}

TEST(LineFileTest, TwoPartsOfALineAreOne) {
  Pipe pipe;
  auto file = LineFile::open("-", pipe.ends[1]);
  EXPECT_EQ(file->write("first\nsec", "ond\n").bytes, 13U);
  EXPECT_EQ(pipe.read(), "first\nsecond\n");
}

TEST(LineFileTest, OthersDescriptorsKeepTheirFlags) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  {
    auto file = LineFile::open("-", ends[1]);
    ASSERT_TRUE(file);
    const std::string much(std::size_t{1} << 20, '\n');
    EXPECT_LT(file->write_all(much, 0).bytes, much.size());  // and returned
  }
  EXPECT_EQ(::fcntl(ends[1], F_GETFL) & O_NONBLOCK, 0);
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST(LineFileTest, AFullDiskIsAnError) {
  auto file = LineFile::open("/dev/full");
  ASSERT_TRUE(file);
  EXPECT_TRUE(file->write("a line\n").failed);
}

TEST(LineFileTest, AReaderThatIsGoneIsAnError) {
  ::signal(SIGPIPE, SIG_IGN);
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  auto file = LineFile::open("-", ends[1]);
  ::close(ends[0]);
  EXPECT_TRUE(file->write("a line\n").failed);
  ::close(ends[1]);
}

}  // namespace
}  // namespace celadon
