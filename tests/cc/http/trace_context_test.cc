#include "http/trace_context.h"

#include <gtest/gtest.h>

#include <string>

namespace celadon::http {
namespace {

constexpr std::string_view kGood =
    "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

std::string with(std::size_t at, std::string_view text) {
  return std::string(kGood).replace(at, text.size(), text);
}

TEST(TraceContext, PartsOfAGoodOne) {
  const auto got = parse_traceparent(kGood);
  ASSERT_TRUE(got);
  EXPECT_EQ(got->trace_id, "0af7651916cd43dd8448eb211c80319c");
  EXPECT_EQ(got->parent_id, "b7ad6b7169203331");
  EXPECT_EQ(got->flags, "01");
}

TEST(TraceContext, WhatMayNotBeUsed) {
  for (const std::string& bad :
       {std::string(), std::string(kGood.substr(1)), with(0, "ff"), with(0, "0G"),
        with(3, std::string(32, '0')), with(36, std::string(16, '0')), with(3, "0A"),
        with(2, "_"), with(35, "_"), with(52, "_"), with(53, "xx"),
        std::string(kGood) + "-more", std::string(kGood) + "0"}) {
    EXPECT_FALSE(parse_traceparent(bad)) << bad;
  }
}

TEST(TraceContext, OfALaterVersionTheKnownPartCounts) {
  EXPECT_TRUE(parse_traceparent(with(0, "01")));
  EXPECT_TRUE(parse_traceparent(with(0, "cc") + "-what-else"));
  EXPECT_FALSE(parse_traceparent(with(0, "cc") + ".what-else"));
}

}  // namespace
}  // namespace celadon::http
