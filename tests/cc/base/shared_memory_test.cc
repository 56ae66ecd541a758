// Memory that processes share, and a copy of it that they do not.
#include "base/shared_memory.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <vector>

namespace celadon {
namespace {

constexpr std::size_t kSize = std::size_t{64} << 20;
constexpr std::size_t kPage = 4096;

std::size_t resident(const SharedMemory& memory) {
  std::vector<unsigned char> pages(kSize / kPage);
  EXPECT_EQ(::mincore(memory.get(), kSize, pages.data()), 0);
  std::size_t count = 0;
  for (const unsigned char page : pages) count += page & 1;
  return count;
}

int exit_status(pid_t pid) {
  int status = -1;
  EXPECT_EQ(::waitpid(pid, &status, 0), pid);
  return status;
}

TEST(SharedMemoryTest, AForkSeesItUntilItHasACopy) {
  auto memory = SharedMemory::make(kSize);
  ASSERT_TRUE(memory);
  auto* bytes = static_cast<char*>(memory.get());
  bytes[0] = 'a';
  bytes[kSize - 1] = 'z';
  const pid_t child = ::fork();
  if (child == 0) {
    bytes[1] = 'b';
    memory.make_private();
    const bool same = bytes[0] == 'a' && bytes[1] == 'b' && bytes[kSize - 1] == 'z' &&
                      bytes[kSize / 2] == 0;
    bytes[0] = 'x';
    ::_exit(same ? 0 : 1);
  }
  EXPECT_EQ(exit_status(child), 0);
  EXPECT_EQ(bytes[0], 'a');
  EXPECT_EQ(bytes[1], 'b');
}

TEST(SharedMemoryTest, PagesThatNobodyWritesTakeNoRoom) {
  auto memory = SharedMemory::make(kSize);
  ASSERT_TRUE(memory);
  static_cast<char*>(memory.get())[kSize / 2] = 1;
  EXPECT_EQ(resident(memory), 1U);
  const pid_t child = ::fork();
  if (child == 0) {
    memory.make_private();
    ::_exit(static_cast<char*>(memory.get())[kSize / 2] == 1 ? 0 : 1);
  }
  EXPECT_EQ(exit_status(child), 0);
  EXPECT_EQ(resident(memory), 1U);
}

// A process may be forbidden to write large files.
TEST(SharedMemoryTest, ItIsNoFile) {
  const pid_t child = ::fork();
  if (child == 0) {
    const rlimit limit{4096, 4096};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    auto memory = SharedMemory::make(kSize);
    ::_exit(memory ? 0 : 1);
  }
  EXPECT_EQ(exit_status(child), 0);
}

}  // namespace
}  // namespace celadon
