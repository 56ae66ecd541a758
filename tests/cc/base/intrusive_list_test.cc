#include "base/intrusive_list.h"

#include <gtest/gtest.h>

#include <memory>
#include <vector>

namespace celadon {
namespace {

struct Item : ListHook<Item> {
  explicit Item(int n) : value(n) {}
  int value;
};

std::vector<int> values(IntrusiveList<Item>& list) {
  std::vector<int> out;
  for (Item* item = list.front(); item; item = list.next(*item))
    out.push_back(item->value);
  return out;
}

TEST(IntrusiveList, KeepsOrderFromBothEnds) {
  Item a(1), b(2), c(3);
  IntrusiveList<Item> list;
  list.push_back(b);
  list.push_front(a);
  list.push_back(c);
  EXPECT_EQ(values(list), (std::vector{1, 2, 3}));
  EXPECT_EQ(list.pop_front(), &a);
  EXPECT_EQ(list.pop_back(), &c);
  EXPECT_EQ(values(list), (std::vector{2}));
}

TEST(IntrusiveList, DestroyedMembersLeaveByThemselves) {
  IntrusiveList<Item> list;
  Item a(1);
  list.push_back(a);
  {
    Item b(2);
    list.push_back(b);
  }
  EXPECT_EQ(values(list), (std::vector{1}));
}

TEST(IntrusiveList, PushingAMemberMovesIt) {
  Item a(1), b(2);
  IntrusiveList<Item> list;
  list.push_back(a);
  list.push_back(b);
  list.push_back(a);
  EXPECT_EQ(values(list), (std::vector{2, 1}));
}

TEST(IntrusiveList, SpliceMovesEverything) {
  Item a(1), b(2), c(3);
  IntrusiveList<Item> list, other;
  list.push_back(a);
  other.push_back(b);
  other.push_back(c);
  list.splice_back(other);
  EXPECT_TRUE(other.empty());
  EXPECT_EQ(values(list), (std::vector{1, 2, 3}));
  list.splice_back(other);
  EXPECT_EQ(values(list), (std::vector{1, 2, 3}));
}

}  // namespace
}  // namespace celadon
