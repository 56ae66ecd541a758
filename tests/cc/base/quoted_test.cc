#include "base/quoted.h"

#include <gtest/gtest.h>

#include <string>

namespace celadon {
namespace {

std::string quoted(std::string_view text) {
  std::string out;
  append_quoted(out, text);
  return out;
}

TEST(Quoted, CharactersOfUtf8AreWhole) {
  EXPECT_EQ(quoted("Gr\u00fc\u00dfe, \u20ac \U0001f680"),
            R"("Gr\u00fc\u00dfe, \u20ac \ud83d\ude80")");
  EXPECT_EQ(quoted("a\u2028b\u0085"), R"("a\u2028b\u0085")");
}

TEST(Quoted, BytesThatAreNoTextStayApart) {
  EXPECT_EQ(quoted("\xfc"), R"("\u00fc")");
  EXPECT_EQ(quoted("\xc3"), R"("\u00c3")");
  EXPECT_EQ(quoted("\xc3x"), R"("\u00c3x")");
  EXPECT_EQ(quoted("\xc0\x80"), R"("\u00c0\u0080")");
  EXPECT_EQ(quoted("\xe0\x80\x80"), R"("\u00e0\u0080\u0080")");
  EXPECT_EQ(quoted("\xed\xa0\x80"), R"("\u00ed\u00a0\u0080")");
  EXPECT_EQ(quoted("\xf4\x90\x80\x80"), R"("\u00f4\u0090\u0080\u0080")");
  EXPECT_EQ(quoted("\xf0\x9f\x9a"), R"("\u00f0\u009f\u009a")");
}

}  // namespace
}  // namespace celadon
