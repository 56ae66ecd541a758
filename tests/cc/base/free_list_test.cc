#include "base/free_list.h"

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <utility>

namespace celadon {
namespace {

class FreeListTest : public ::testing::Test {
 protected:
  // So many are taken, and come back.
  void use(std::size_t count) {
    std::array<std::unique_ptr<int>, 8> taken;
    for (std::size_t i = 0; i < count; ++i) {
      taken[i] = list_.take();
      if (!taken[i]) taken[i] = std::make_unique<int>(next_++);
    }
    for (std::size_t i = 0; i < count; ++i) list_.put(std::move(taken[i]));
  }
  FreeList<int> list_{6};
  int next_ = 0;
};

TEST_F(FreeListTest, TheLastOneThatCameBackGoesOutFirst) {
  use(3);
  EXPECT_EQ(*list_.take(), 2);
  EXPECT_EQ(*list_.take(), 1);
  EXPECT_EQ(*list_.take(), 0);
  EXPECT_EQ(list_.take(), nullptr);
}

TEST_F(FreeListTest, KeepsNoMoreThanItsBound) {
  use(8);
  EXPECT_EQ(list_.size(), 6U);
}

TEST_F(FreeListTest, APeriodKeepsWhatItUsed) {
  use(6);
  list_.give_back_unused();  // all of them were used
  EXPECT_EQ(list_.size(), 6U);
  use(2);
  use(1);
  list_.give_back_unused();
  EXPECT_EQ(list_.size(), 2U);
  use(1);
  list_.give_back_unused();
  EXPECT_EQ(list_.size(), 1U);
  list_.give_back_unused();
  EXPECT_TRUE(list_.empty());
}

TEST_F(FreeListTest, AllOfThemGo) {
  use(4);
  list_.give_back_all();
  EXPECT_TRUE(list_.empty());
  use(2);
  list_.give_back_unused();
  EXPECT_EQ(list_.size(), 2U);
}

}  // namespace
}  // namespace celadon
