#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "h2/frame_scanner.h"
#include "h2/priority.h"
#include "model.h"

namespace celadon::h2 {
namespace {

struct Scanned {
  std::string bytes;
  std::vector<std::string> heads;  // type, flags, stream, length
  bool operator==(const Scanned&) const = default;
};

Scanned scan(std::string_view bytes, std::size_t stride) {
  FrameScanner scanner;
  Scanned found;
  for (std::size_t at = 0; at < bytes.size(); at += stride) {
    std::string_view in = bytes.substr(at, stride);
    while (!in.empty()) {
      const FrameScanner::Piece piece = scanner.next(in);
      found.bytes += piece.bytes;
      if (!piece.begins) continue;
      EXPECT_GE(piece.bytes.size(), kFrameHead);
      const FrameHead& h = *piece.begins;
      std::string line;
      for (const std::uint32_t part :
           {static_cast<std::uint32_t>(h.type), std::uint32_t{h.flags},
            static_cast<std::uint32_t>(h.stream), h.length}) {
        line += std::to_string(part) + " ";
      }
      if (h.type == FrameType::Priority && h.length == kPrioritySize) {
        line += std::to_string(parse_stream_id(piece.bytes.substr(kFrameHead)));
      }
      found.heads.push_back(line);
    }
  }
  return found;
}

TEST(FrameScanner, EveryFrameIsFoundHoweverItIsCut) {
  const std::string bytes =
      std::string(kPreface) + model::settings({{3, 7}}) + model::ping() +
      model::headers(1, "block", true) + model::data(1, std::string(300, 'x'), false) +
      model::priority(5, 3) + model::frame(FrameType::Priority, 0, 5, "bad") +
      model::data(1, "", true) +
      model::frame(static_cast<FrameType>(0xff), 0xff, 0, "?");
  const Scanned whole = scan(bytes, bytes.size());
  EXPECT_EQ(whole.bytes, bytes);
  EXPECT_EQ(whole.heads, (std::vector<std::string>{
                             "4 0 0 6 ", "6 0 0 8 ", "1 5 1 5 ", "0 0 1 300 ",
                             "2 0 5 5 3", "2 0 5 3 ", "0 1 1 0 ", "255 255 0 1 "}));
  for (std::size_t stride = 1; stride < bytes.size(); ++stride) {
    EXPECT_EQ(scan(bytes, stride), whole) << stride;
  }
}

TEST(Frames, AReservedBitIsNoPartOfAStream) {
  std::string bytes = model::data(7, "", false);
  bytes[5] = '\x80';
  EXPECT_EQ(parse_frame_head(bytes).stream, 7);
}

TEST(Frames, AGoawaySaysWhy) {
  std::string out = "before";
  append_goaway(out, 5, ErrorCode::EnhanceYourCalm, "calm");
  const auto frames = model::read_frames(std::string_view(out).substr(6));
  ASSERT_EQ(frames.size(), 1U);
  EXPECT_EQ(frames[0].type, FrameType::Goaway);
  EXPECT_EQ(frames[0].stream, 0);
  EXPECT_EQ(frames[0].last(), 5);
  EXPECT_EQ(frames[0].code(), ErrorCode::EnhanceYourCalm);
  EXPECT_EQ(frames[0].payload.substr(8), "calm");
}

TEST(Priority, MembersAreReadAndOthersPassedOver) {
  const auto is = [](std::string_view text, unsigned urgency, bool incremental) {
    const Priority wanted{static_cast<std::uint8_t>(urgency), incremental};
    EXPECT_EQ(parse_priority(text), wanted) << text;
  };
  is("", 3, false);
  is("u=0", 0, false);
  is("u=7, i", 7, true);
  is("i,u=5", 5, true);
  is("i=?1;x, u=2;y=3", 2, true);
  is("u=1, u=4", 4, false);
  is("i, i=?0", 3, false);
  is("u=8, i=1, u, =, ,u=", 3, false);
  is("u=-1, u=10", 3, false);
}

}  // namespace
}  // namespace celadon::h2
