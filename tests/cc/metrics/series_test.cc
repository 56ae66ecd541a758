// Series in shared memory, and what is made of those of several processes.
#include "metrics/series.h"

#include <gtest/gtest.h>

#include <cmath>

#include <cstring>
#include <vector>

#include "metrics/declaration.h"
#include "metrics/gather.h"
#include "metrics/slab.h"
#include "metrics/text_ring.h"

namespace celadon::metrics {
namespace {

using Room = Slab::Room;

struct ListTest : testing::Test {
  std::vector<std::uint64_t> memory = std::vector<std::uint64_t>(512);
  SeriesList list{reinterpret_cast<std::byte*>(memory.data()),
                  memory.size() * sizeof(std::uint64_t)};
};

std::vector<std::string> keys_of(const SeriesList& list) {
  std::vector<std::string> keys;
  std::size_t at = 0;
  while (const auto series = list.next(at)) keys.emplace_back(series->key);
  return keys;
}

TEST_F(ListTest, TheSameSeriesHasTheSameCells) {
  SeriesWriter writer(list, 10);
  const auto first = writer.find("a", "x=\"1\"", Merge::Sum, 2, "x=\"_other\"");
  const auto other = writer.find("a", "x=\"2\"", Merge::Sum, 2, "x=\"_other\"");
  ASSERT_EQ(first.size(), 2U);
  EXPECT_NE(first.data(), other.data());
  EXPECT_EQ(writer.find("a", "x=\"1\"", Merge::Sum, 2, "").data(), first.data());
  EXPECT_EQ(keys_of(list).size(), 2U);
  EXPECT_EQ(list.count(), 2U);
}

TEST_F(ListTest, TooManySeriesAreOneAndCounted) {
  SeriesWriter writer(list, 2);
  const auto find = [&](const char* labels) {
    return writer.find("a", labels, Merge::Sum, 1, "x=\"_other\"");
  };
  find("x=\"1\"")[0] += 1;
  find("x=\"2\"")[0] += 1;
  find("x=\"3\"")[0] += 1;
  find("x=\"4\"")[0] += 1;
  EXPECT_EQ(list.dropped(), 2U);
  EXPECT_EQ(find("x=\"_other\"")[0], 2);
  EXPECT_EQ(find("x=\"1\"")[0], 1);
}

TEST_F(ListTest, AFullListGivesNothing) {
  SeriesWriter writer(list, 1000);
  std::size_t made = 0;
  for (int i = 0; i < 1000; ++i) {
    made += !writer.find("name", std::to_string(i), Merge::Sum, 16, "").empty();
  }
  EXPECT_GT(made, 10U);
  EXPECT_LT(made, 1000U);
  EXPECT_EQ(keys_of(list).size(), made);
}

// A process that writes anywhere must not take others with it.
TEST_F(ListTest, WhatIsNoListIsNotWalked) {
  SeriesWriter writer(list, 10);
  static_cast<void>(writer.find("a", "", Merge::Sum, 1, ""));
  for (int byte = 0; byte < 64; ++byte) {
    auto broken = memory;
    std::memset(reinterpret_cast<char*>(broken.data()) + 16 + byte, 0xff, 8);
    const SeriesList copy{reinterpret_cast<std::byte*>(broken.data()),
                          broken.size() * sizeof(std::uint64_t)};
    EXPECT_LE(keys_of(copy).size(), 1U);
  }
}

struct GatherTest : testing::Test {
  void SetUp() override {
    ASSERT_TRUE(slab);
    for (const std::size_t slot : {0U, 1U}) {
      slab->lease(slot, 0);
      slab->slots()[slot].state.store(SlotState::Ready);
      writers.emplace_back(slab->series(slot), 100);
      writers.back().declare(to_text({"m", "gauge", "help", ""}));
    }
  }
  void set(std::size_t slot, Merge merge, double value, double when = 0) {
    const std::size_t cells = merge == Merge::Recent ? 2 : 1;
    const auto found = writers[slot].find("m", "", merge, cells, "");
    found[0] = value;
    if (cells > 1) found[1] = when;
  }
  std::map<std::string, std::vector<double>> samples() {
    return gather_series(*slab).families["m"].samples;
  }
  std::unique_ptr<Slab> slab = Slab::make(3, Room{.series = 100, .bytes = 8192});
  std::vector<SeriesWriter> writers;
};

TEST_F(GatherTest, CountersAreAddedAndOutliveTheirProcess) {
  set(0, Merge::Sum, 3);
  set(1, Merge::Sum, 4);
  EXPECT_EQ(samples().at("")[0], 7);
  slab->take_back(0);
  EXPECT_EQ(samples().at("")[0], 7);
  slab->lease(0, 0);
  EXPECT_EQ(samples().at("")[0], 7);
  slab->take_back(1);
  EXPECT_EQ(samples().at("")[0], 7);
}

TEST_F(GatherTest, S17WhatWasCountedByOtherBoundsIsNotAdded) {
  const auto observe = [](SeriesWriter& writer, const std::string& bounds,
                          std::size_t cells) {
    writer.declare(to_text({"h", "histogram", "help", bounds}));
    const std::string labels = std::string(1, '\0') + bounds;
    writer.find("h", labels, Merge::Sum, cells, "")[0] += 1;
  };
  const auto found = [this] { return gather_series(*slab).families.at("h"); };
  observe(writers[0], "1.0,2.0", 4);
  observe(writers[1], "1.0,2.0", 4);
  EXPECT_EQ(found().samples.at("")[0], 2);
  slab->take_back(0);
  slab->lease(0, 7);  // the code of now has others, as many and then more
  SeriesWriter young(slab->series(0), 100);
  observe(young, "5.0,6.0", 4);
  EXPECT_EQ(found().bounds, "5.0,6.0");
  EXPECT_EQ(found().samples.at("")[0], 1);
  slab->take_back(1);
  slab->lease(1, 8);
  SeriesWriter younger(slab->series(1), 100);
  observe(younger, "1.0,2.0,3.0", 5);
  EXPECT_EQ(found().samples.at("").size(), 5U);
  slab->take_back(1);
  EXPECT_EQ(found().bounds, "5.0,6.0");
  EXPECT_EQ(found().samples.at("")[0], 1);
}

TEST_F(GatherTest, GaugesGoWithTheirProcess) {
  set(0, Merge::LiveSum, 3);
  set(1, Merge::LiveSum, 4);
  EXPECT_EQ(samples().at("")[0], 7);
  slab->take_back(0);
  EXPECT_EQ(samples().at("")[0], 4);
}

TEST_F(GatherTest, MaxAndMin) {
  set(0, Merge::Max, -3);
  set(1, Merge::Max, -4);
  EXPECT_EQ(samples().at("")[0], -3);
}

TEST_F(GatherTest, TheMostRecentOne) {
  set(0, Merge::Recent, 3, 20);
  set(1, Merge::Recent, 4, 10);
  EXPECT_EQ(samples().at("")[0], 3);
  slab->take_back(0);
  EXPECT_EQ(samples().at("")[0], 3);  // the last word on it
}

TEST_F(GatherTest, EachOnItsOwn) {
  set(0, Merge::Each, 3);
  set(1, Merge::Each, 4);
  EXPECT_EQ(samples().at("worker=\"0\"")[0], 3);
  EXPECT_EQ(samples().at("worker=\"1\"")[0], 4);
}

TEST_F(GatherTest, PlacesThatHeldALoop) {
  SeriesWriter places(slab->places(0), 10);
  const auto cells = places.find("app.py:3 in view", "a stack", Merge::Place, 4, "");
  cells[0] = 2;
  cells[1] = 0.5;
  cells[2] = 0.4;
  cells[3] = 100;
  slab->take_back(0);
  const auto found = gather_places(*slab);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].where, "app.py:3 in view");
  EXPECT_EQ(found[0].stack, "a stack");
  EXPECT_EQ(found[0].count, 2);
  EXPECT_EQ(found[0].longest, 0.4);
}

TEST(DeclarationTest, ReadsWhatItWrote) {
  const std::string text = to_text({"a", "histogram", "of b", "1,2"});
  const auto read = parse_declaration(text);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->name, "a");
  EXPECT_EQ(read->type, "histogram");
  EXPECT_EQ(read->help, "of b");
  EXPECT_EQ(read->bounds, "1,2");
  EXPECT_FALSE(parse_declaration(""));
}

TEST(DeclarationTest, LabelsAreEscapedAndCut) {
  std::string out;
  append_label(out, "a", "x\"y\\z\n");
  append_label(out, "b", std::string(127, 'q') + "\xc3\xa4");
  EXPECT_EQ(out, "a=\"x\\\"y\\\\z\\n\",b=\"" + std::string(127, 'q') + "\"");
}

TEST(ExpositionTest, PrometheusText) {
  Exposition out(Format::Prometheus);
  out.family("a_total", "counter", "of\nlines");
  out.sample("x=\"1\"", 2.5);
  out.family("h", "histogram", "sizes");
  out.histogram("", "1,2", std::vector<double>{1, 0, 2}, 9);
  EXPECT_EQ(out.take(),
            "# HELP a_total of\\nlines\n# TYPE a_total counter\na_total{x=\"1\"} 2.5\n"
            "# HELP h sizes\n# TYPE h histogram\nh_bucket{le=\"1\"} 1\n"
            "h_bucket{le=\"2\"} 1\nh_bucket{le=\"+Inf\"} 3\nh_sum 9\nh_count 3\n");
}

TEST(ExpositionTest, OpenMetrics) {
  Exposition out(choose_format("application/openmetrics-text;version=1.0.0,*/*"));
  out.family("a_total", "counter", "x");
  out.sample("", 1);
  EXPECT_EQ(out.take(), "# HELP a x\n# TYPE a counter\na_total 1\n# EOF\n");
  EXPECT_EQ(choose_format("*/*"), Format::Prometheus);
}

TEST(ExpositionTest, NumbersThatAreNone) {
  std::string out;
  for (const double value : {0.1, 1e300, HUGE_VAL, -HUGE_VAL}) {
    append_number(out, value);
    out += ' ';
  }
  append_number(out, NAN);
  EXPECT_EQ(out, "0.1 1e+300 +Inf -Inf NaN");
}

TEST(TextRingTest, TheLastOnesAreKept) {
  std::vector<std::byte> memory(TextRing::kBytes);
  TextRing ring(memory.data());
  for (int i = 0; i < 20; ++i) ring.put("text " + std::to_string(i), i);
  ring.put(std::string(5000, 'x'), 20);
  std::vector<TextRing::Text> found;
  ring.append_to(found);
  EXPECT_EQ(found.size(), TextRing::kPlaces);
  const bool has_last = std::ranges::any_of(
      found, [](const auto& each) { return each.text == std::string(1004, 'x'); });
  EXPECT_TRUE(has_last);
  EXPECT_FALSE(std::ranges::any_of(
      found, [](const auto& each) { return each.text == "text 3"; }));
}

}  // namespace
}  // namespace celadon::metrics
