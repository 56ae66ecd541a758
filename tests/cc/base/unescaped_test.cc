#include "base/unescaped.h"

#include <gtest/gtest.h>

#include <string>

namespace celadon {
namespace {

TEST(Unescaped, NamesAreReadAsTheyWereWritten) {
  EXPECT_EQ(unescaped(R"(/srv/Gr\xfc\xdfe/app.py:1 in \u0436\U0001f680)"),
            "/srv/Gr\u00fc\u00dfe/app.py:1 in \u0436\U0001f680");
  EXPECT_EQ(unescaped(R"(\u20ac\u00ac)"), "\u20ac\u00ac");
}

TEST(Unescaped, WhatIsNoEscapeStays) {
  for (const std::string text :
       {"", "plain", R"(\)", R"(\x)", R"(\xf)", R"(\xzz)", R"(\x41)", R"(a\b)",
        R"(\udcff)", R"(\U00110000)", R"(\u12)", R"(\\x)"}) {
    EXPECT_EQ(unescaped(text), text);
  }
}

}  // namespace
}  // namespace celadon
