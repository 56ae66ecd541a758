#include "base/under_way.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace celadon {
namespace {

using Lines = std::vector<std::string>;

// As fresh shared memory is.
std::unique_ptr<UnderWay> fresh() {
  auto made = std::make_unique<UnderWay>();
  made->clear();
  return made;
}

TEST(UnderWay, NamesThoseThatAreThere) {
  const auto all = fresh();
  const auto first = all->note("GET", "/a");
  const auto second = all->note("POST", "/b");
  EXPECT_EQ(all->lines(), (Lines{"GET /a", "POST /b"}));
  all->forget(first);
  EXPECT_EQ(all->lines(), Lines{"POST /b"});
  EXPECT_EQ(all->note("GET", "/c"), first);
  EXPECT_EQ(all->lines(), (Lines{"GET /c", "POST /b"}));
  all->forget(second);
  all->clear();
  EXPECT_EQ(all->lines(), Lines{});
}

TEST(UnderWay, HasRoomForSome) {
  const auto all = fresh();
  for (int i = 0; i < UnderWay::kRoom; ++i) EXPECT_EQ(all->note("GET", "/"), i);
  EXPECT_EQ(all->note("GET", "/more"), UnderWay::kNone);
  all->forget(7);
  EXPECT_EQ(all->note("GET", "/more"), 7);
}

TEST(UnderWay, CutsWhatIsLongAndAllQueries) {
  const auto all = fresh();
  const std::string path = "/" + std::string(1 << 16, 'x');
  EXPECT_EQ(all->note("GET", "/a?token=1"), 0);
  EXPECT_EQ(all->note("GET", path), 1);
  EXPECT_EQ(all->note(path, "?token=1"), 2);
  EXPECT_EQ(all->lines(),
            (Lines{"GET /a", "GET " + path.substr(0, 123), path.substr(0, 127)}));
}

}  // namespace
}  // namespace celadon
