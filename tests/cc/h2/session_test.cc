#include "h2/session.h"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "house.h"

namespace celadon::h2 {
namespace {

using model::Fields;
using model::Frame;

// --- the beginning ---

TEST(Session, H211SettingsSayWhatHolds) {
  Options options;
  options.connect_protocol = true;
  House house(options);
  const auto frames = house.read();
  ASSERT_EQ(frames.at(0).type, FrameType::Settings);
  std::map<std::uint64_t, std::uint64_t> said;
  const std::string_view payload = frames[0].payload;
  for (std::size_t at = 0; at < payload.size(); at += 6) {
    said[model::read_number(payload.substr(at, 2))] =
        model::read_number(payload.substr(at + 2, 4));
  }
  EXPECT_EQ(said,
            (std::map<std::uint64_t, std::uint64_t>{
                {3, 100}, {4, 65'535}, {5, 16'384}, {6, 65'536}, {8, 1}, {9, 1}}));
  // Its settings are taken, and the connection's window is opened.
  EXPECT_EQ(frames_of(frames, FrameType::Settings, 0).size(), 2U);
  const auto updates = frames_of(frames, FrameType::WindowUpdate, 0);
  ASSERT_EQ(updates.size(), 1U);
  EXPECT_EQ(model::read_number(updates[0].payload), (1U << 20) - 65'535);
}

TEST(Session, WithoutWebSocketsNobodyIsToldOfThem) {
  House house;
  const auto frames = house.read();
  EXPECT_EQ(frames.at(0).payload.size(), 5U * 6);
}

TEST(Session, AnotherPrefaceIsTheEnd) {
  const http::Limits limits;
  Engine engine({}, limits);
  House house;  // its events
  Session session(engine, house);
  session.receive("GET / HTTP/1.1\r\nhost: a\r\n\r\n", 0);
  EXPECT_EQ(session.fault(), Fault::BadPreface);
  std::string out;
  session.write(out, 1 << 16);
  const auto frames = model::read_frames(out);
  ASSERT_EQ(frames.size(), 1U);
  EXPECT_EQ(frames[0].code(), ErrorCode::ProtocolError);
  EXPECT_TRUE(session.is_over());
}

// --- requests and answers ---

TEST(Session, ARequestIsAnswered) {
  House house;
  house.shake_hands();
  house.request(1, House::get("/a?b"));
  EXPECT_EQ(house.said(), (Lines{"1 GET /a"}));
  EXPECT_EQ(house.session().streams(), 1U);
  house.answer(1, "hello");
  const auto frames = house.read();
  ASSERT_EQ(frames.size(), 2U);
  EXPECT_EQ(frames[0].type, FrameType::Headers);
  EXPECT_FALSE(frames[0].ends());
  EXPECT_EQ(house.decoder.fields(frames[0].payload), (Fields{{":status", "200"}}));
  EXPECT_EQ(frames[1].payload, "hello");
  EXPECT_TRUE(frames[1].ends());
  EXPECT_EQ(house.session().streams(), 0U);
  EXPECT_EQ(house.said(), Lines{});
}

TEST(Session, FieldsOfAnAnswerAreWrittenInLowerCase) {
  House house;
  house.shake_hands();
  house.request(1);
  const http::HeaderView fields[]{{"Content-Type", "text/plain"}, {"X-A", "B"}};
  const http::HeaderView own[]{{"Server", "x"}};
  house.session().send_head(house.stream(1), 404, fields, own, Part::Last);
  const auto frames = house.read();
  ASSERT_EQ(frames.size(), 1U);
  EXPECT_TRUE(frames[0].ends());
  EXPECT_EQ(house.decoder.fields(frames[0].payload),
            (Fields{{":status", "404"},
                    {"content-type", "text/plain"},
                    {"x-a", "B"},
                    {"server", "x"}}));
}

TEST(Session, AnAnswerHasAnyNumberOfFields) {
  House house;
  house.shake_hands();
  house.request(1);
  const std::string value(300, 'v');
  const std::vector<http::HeaderView> fields(500, {"x", value});
  house.session().send_head(house.stream(1), 200, fields, {}, Part::Last);
  const auto frames = house.read();
  std::string block;
  for (const Frame& f : frames) block += f.payload;
  EXPECT_EQ(house.decoder.fields(block).size(), 501U);
}

TEST(Session, AnAnswerThatIsTooLargeIsReset) {
  House house;
  house.shake_hands();
  house.request(1);
  const std::string value(5000, 'v');
  const std::vector<http::HeaderView> fields(300, {"x", value});
  house.session().send_head(house.stream(1), 200, fields, {}, Part::More);
  const auto frames = house.read();
  ASSERT_EQ(frames.size(), 1U);
  EXPECT_EQ(frames[0].code(), ErrorCode::InternalError);
  EXPECT_EQ(house.said(), (Lines{"1 GET /", "1 reset 2"}));
}

TEST(Session, AnAnswerWithinTheEventIsOne) {
  House house;
  house.answers_at_once = true;
  house.shake_hands();
  for (StreamId id = 1; id < 1000; id += 2) {
    house.request(id);
    if (id % 50 == 49) house.read();
  }
  EXPECT_EQ(house.requests, 500U);
  EXPECT_EQ(house.counters().refused_streams, 0U);
  house.read();
  EXPECT_EQ(house.session().streams(), 0U);
}

TEST(Session, WhatComesIsTheSameHoweverItIsCut) {
  Lines whole;
  for (std::size_t stride = 1'000'000; stride > 0;
       stride = stride > 40 ? 40 : stride - 1) {
    House house;
    std::string bytes = house.head(
        1, House::with(House::get("/a"), {{"x", std::string(300, 'x')}}), false);
    bytes += model::padded_data(1, "body", 7, false) + model::priority(3, 1) +
             model::data(1, "more", true);
    bytes += house.head(3, House::get("/b"));
    bytes +=
        model::rst(3) + model::frame(static_cast<FrameType>(0xfa), 1, 1, "unknown");
    for (std::size_t at = 0; at < bytes.size(); at += stride) {
      house.send(std::string_view(bytes).substr(at, stride));
    }
    Lines lines = house.said();
    // A body comes in pieces.
    std::erase_if(lines, [](const std::string& l) { return l.starts_with("1 data"); });
    EXPECT_EQ(house.held.at(1)->body, "bodymore") << stride;
    if (whole.empty()) whole = lines;
    EXPECT_EQ(lines, whole) << stride;
  }
  EXPECT_EQ(whole, (Lines{"1 GET /a", "1 end", "3 GET /b", "3 reset 8"}));
}

TEST(Session, WhetherSomethingIsToComeIsKnown) {
  House house;
  house.shake_hands();
  EXPECT_FALSE(house.session().is_amid_input());
  const std::string bytes = house.head(1, House::get());
  for (const char& c : bytes) {
    house.send({&c, 1});
    EXPECT_EQ(house.session().is_amid_input(), &c != &bytes.back());
  }
  house.answer(1, "x");
  house.read();
  house.session().trim();
  house.send(model::headers(3, house.encoder.block(House::get()), true, false));
  EXPECT_TRUE(house.session().is_amid_input());
  house.send(model::continuation(3, "", true));
  EXPECT_FALSE(house.session().is_amid_input());
  EXPECT_EQ(house.said(), (Lines{"1 GET /", "3 GET /"}));
  const http::Limits limits;
  Engine engine({}, limits);
  const Session fresh(engine, house);
  EXPECT_TRUE(fresh.is_amid_input());
}

TEST(Session, InterimAnswersComeBeforeTheHead) {
  House house;
  house.shake_hands();
  house.request(1);
  const http::HeaderView hints[]{{"Link", "</a.css>"}};
  house.session().send_interim(house.stream(1), 103, hints);
  house.session().send_interim(house.stream(1), 103, {});
  house.answer(1, "x");
  house.session().send_interim(house.stream(1), 103, hints);  // too late
  const auto frames = house.read();
  ASSERT_EQ(frames.size(), 4U);
  EXPECT_EQ(house.decoder.fields(frames[0].payload),
            (Fields{{":status", "103"}, {"link", "</a.css>"}}));
  EXPECT_EQ(house.decoder.fields(frames[1].payload), (Fields{{":status", "103"}}));
  EXPECT_EQ(house.decoder.fields(frames[2].payload), (Fields{{":status", "200"}}));
  EXPECT_TRUE(frames[3].ends());
}

TEST(Session, TrailersFollowTheBody) {
  House house;
  house.shake_hands();
  house.request(1);
  Session& s = house.session();
  s.send_head(house.stream(1), 200, {}, {}, Part::More);
  s.send_data(house.stream(1), "x", {}, Part::More);
  const http::HeaderView trailers[]{{"X-Sum", "1"}};
  s.end(house.stream(1), trailers);
  house.release(1);
  const auto frames = house.read();
  ASSERT_EQ(frames.size(), 3U);
  EXPECT_EQ(frames[1].payload, "x");
  EXPECT_FALSE(frames[1].ends());
  EXPECT_TRUE(frames[2].ends());
  house.decoder.fields(frames[0].payload);
  EXPECT_EQ(house.decoder.fields(frames[2].payload), (Fields{{"x-sum", "1"}}));
}

TEST(Session, TrailersFollowABodyThatHasLeft) {
  House house;
  house.shake_hands();
  house.request(1);
  Session& s = house.session();
  s.send_head(house.stream(1), 200, {}, {}, Part::More);
  s.send_data(house.stream(1), "x", {}, Part::More);
  EXPECT_EQ(house.read().size(), 2U);
  const http::HeaderView trailers[]{{"X-Sum", "1"}};
  s.end(house.stream(1), trailers);
  const auto frames = house.read();
  ASSERT_EQ(frames.size(), 1U);
  EXPECT_EQ(frames[0].type, FrameType::Headers);
  EXPECT_TRUE(frames[0].ends());
}

TEST(Session, H212AnEmptyDataFrameEndsAStreamWhoseBodyHasLeft) {
  House house;
  house.shake_hands();
  house.request(1);
  Session& s = house.session();
  s.send_head(house.stream(1), 200, {}, {}, Part::More);
  EXPECT_EQ(house.read().size(), 1U);
  s.send_data(house.stream(1), "x", {}, Part::More);
  EXPECT_EQ(house.read().size(), 1U);
  s.end(house.stream(1), {});
  const auto frames = house.read();
  ASSERT_EQ(frames.size(), 1U);
  EXPECT_EQ(frames[0].type, FrameType::Data);
  EXPECT_TRUE(frames[0].ends());
  EXPECT_TRUE(frames[0].payload.empty());
}

TEST(Session, H212AnAnswerThatFailsIsReset) {
  House house;
  house.shake_hands();
  house.request(1);
  house.session().send_head(house.stream(1), 200, {}, {}, Part::More);
  house.read();
  house.release(1);
  const auto frames = house.read();
  ASSERT_EQ(frames.size(), 1U);
  EXPECT_EQ(frames[0].type, FrameType::RstStream);
  EXPECT_EQ(frames[0].code(), ErrorCode::InternalError);
  EXPECT_EQ(house.session().streams(), 0U);
  EXPECT_EQ(house.counters().own_resets, 0U);  // the peer did nothing wrong
}

TEST(Session, AfterAnEndNothingMoreIsTaken) {
  House house;
  house.shake_hands();
  house.request(1);
  Session& s = house.session();
  Stream& stream = house.stream(1);
  EXPECT_EQ(s.send_data(stream, "x", {}, Part::More), Taken::Gone);  // before the head
  EXPECT_EQ(s.send_head(stream, 200, {}, {}, Part::More), Taken::Ok);
  EXPECT_EQ(s.send_head(stream, 200, {}, {}, Part::More), Taken::Gone);
  EXPECT_EQ(s.send_data(stream, "x", {}, Part::Last), Taken::Ok);
  int released = 0;
  const Owner owner{&released, [](void* at) noexcept { ++*static_cast<int*>(at); }};
  EXPECT_EQ(s.send_data(stream, "x", owner, Part::Last), Taken::Gone);
  EXPECT_EQ(released, 1);
}

// --- what is no request ---

TEST(Session, AMalformedRequestIsAStreamErrorAndNoOtherStreams) {
  House house;
  house.shake_hands();
  house.request(1, House::with(House::get(), {{"Upper", "x"}}));
  house.request(3, House::with(House::get(), {{"connection", "close"}}), false);
  house.send(model::data(3, "x", true));
  house.request(5);
  EXPECT_EQ(house.said(), (Lines{"malformed: malformed header name",
                                 "malformed: header of a connection", "5 GET /"}));
  const auto resets = house.read(FrameType::RstStream);
  ASSERT_EQ(resets.size(), 2U);
  EXPECT_EQ(resets[0].stream, 1);
  EXPECT_EQ(resets[0].code(), ErrorCode::ProtocolError);
  EXPECT_EQ(resets[1].stream, 3);
  EXPECT_EQ(house.session().streams(), 1U);
}

TEST(Session, ARequestThatIsRefusedIsAnswered) {
  House house;
  house.shake_hands();
  Fields trace = House::get();
  trace[0].second = "TRACE";
  house.request(1, trace);
  EXPECT_EQ(house.said(), (Lines{"1 refused 405"}));
  const auto frames = house.read();
  ASSERT_EQ(frames.size(), 1U);
  EXPECT_EQ(house.decoder.fields(frames[0].payload), (Fields{{":status", "405"}}));
}

TEST(Session, H214ARefusedBlockIsDecodedSoThatTheTableStaysRight) {
  House house;
  house.shake_hands();
  // It is refused at its first field; what follows goes into the table.
  house.request(1, House::with({{"Bad", "x"}}, House::with(House::get("/first"),
                                                           {{"x-known", "value"}})));
  house.request(3, House::with(House::get("/first"), {{"x-known", "value"}}));
  EXPECT_EQ(house.said(), (Lines{"malformed: malformed header name", "3 GET /first"}));
  EXPECT_EQ(house.asked.at(0).second, "value");
}

TEST(Session, H214OurTableIsSmallWhateverThePeerAllows) {
  House house;
  house.shake_hands();
  house.send(model::settings({{1, 1 << 20}}));
  house.decoder.allow(1 << 20);
  for (StreamId id = 1; id < 60; id += 2) {
    house.request(id);
    const std::string value = std::string(200, 'v') + std::to_string(id);
    const http::HeaderView fields[]{{"x-v", value}};
    house.session().send_head(house.stream(id), 200, fields, {}, Part::Last);
    house.release(id);
    for (const Frame& f : house.read(FrameType::Headers))
      house.decoder.fields(f.payload);
  }
  EXPECT_LE(house.decoder.table(), 4096U);
  EXPECT_GT(house.decoder.table(), 2048U);
}

TEST(Session, H202ARequestNeedsItsPseudoHeaders) {
  House house;
  house.shake_hands();
  house.send(model::headers(1, "", true));
  EXPECT_EQ(house.said(), (Lines{"malformed: malformed pseudo-header"}));
}

// --- the end ---

TEST(Session, H213ADrainHasTwoSteps) {
  House house;
  house.shake_hands();
  house.request(1);
  house.session().announce_end();
  auto frames = house.read();
  auto goaways = frames_of(frames, FrameType::Goaway, 0);
  ASSERT_EQ(goaways.size(), 1U);
  EXPECT_EQ(goaways[0].last(), INT32_MAX);
  EXPECT_EQ(goaways[0].code(), ErrorCode::NoError);
  const auto pings = frames_of(frames, FrameType::Ping, 0);
  ASSERT_EQ(pings.size(), 1U);
  // What it began meanwhile is served.
  house.request(3);
  house.send(model::frame(FrameType::Ping, flag::kAck, 0, pings[0].payload));
  EXPECT_EQ(house.session().state(), State::Draining);
  goaways = house.read(FrameType::Goaway);
  ASSERT_EQ(goaways.size(), 1U);
  EXPECT_EQ(goaways[0].last(), 3);
  house.request(5);
  EXPECT_EQ(house.said(), (Lines{"1 GET /", "3 GET /"}));
  EXPECT_FALSE(house.session().is_over());
  house.answer(1, "one");
  house.answer(3, "three");
  frames = house.read();
  EXPECT_EQ(body_of(frames, 1) + body_of(frames, 3), "onethree");
  EXPECT_TRUE(house.session().is_over());
  EXPECT_FALSE(house.session().has_output());
}

TEST(Session, H213ADrainThatDoesNotWait) {
  House house;
  house.shake_hands();
  house.session().announce_end();
  house.session().refuse_new();
  house.session().announce_end();
  EXPECT_EQ(house.read(FrameType::Goaway).size(), 2U);
  EXPECT_TRUE(house.session().is_over());
}

TEST(Session, APeersGoawayIsTold) {
  House house;
  house.shake_hands();
  house.request(1);
  house.send(model::frame(FrameType::Goaway, 0, 0, std::string(8, '\0')));
  EXPECT_EQ(house.said(), (Lines{"1 GET /", "goaway 0"}));
  EXPECT_FALSE(house.session().is_over());
  house.answer(1, "x");
  EXPECT_EQ(body_of(house.read(), 1), "x");
  EXPECT_TRUE(house.session().is_over());
}

TEST(Session, AProtocolErrorIsToldAndCounted) {
  House house;
  house.shake_hands();
  house.request(1);
  house.send(model::window_update(0, 0));
  const auto frames = house.read();
  ASSERT_EQ(frames.size(), 1U);
  EXPECT_EQ(frames[0].code(), ErrorCode::ProtocolError);
  EXPECT_EQ(frames[0].last(), 1);
  EXPECT_EQ(house.session().fault(), Fault::BadFrame);
  EXPECT_EQ(house.counters().of(Fault::BadFrame), 1U);
  EXPECT_TRUE(house.session().is_over());
  // The application learns of it by what it is told of its answer.
  EXPECT_EQ(house.session().send_head(house.stream(1), 200, {}, {}, Part::Last),
            Taken::Gone);
  house.release(1);
  EXPECT_EQ(house.session().streams(), 0U);
}

TEST(Session, FramesOfAnEndedStreamAreTheEnd) {
  for (const bool reset : {false, true}) {
    for (const bool head : {false, true}) {
      House house;
      house.shake_hands();
      house.request(1);
      if (reset) {
        house.send(model::rst(1));
        house.release(1);
      } else {
        house.answer(1, "x");
      }
      house.read();
      house.send(head ? house.head(1, House::get()) : model::data(1, "x", false));
      EXPECT_EQ(house.session().fault(), Fault::StreamClosed);
      const auto frames = house.read();
      ASSERT_EQ(frames.size(), 1U);
      EXPECT_EQ(frames[0].code(), ErrorCode::StreamClosed);
    }
  }
}

TEST(Session, AStreamThatWasPassedOverIsTheEnd) {
  House house;
  house.shake_hands();
  house.request(5);
  house.request(3);
  EXPECT_EQ(house.said(), (Lines{"5 GET /"}));
  EXPECT_EQ(house.session().fault(), Fault::StreamOrder);
  const auto frames = house.read();
  ASSERT_EQ(frames.size(), 1U);
  EXPECT_EQ(frames[0].code(), ErrorCode::ProtocolError);
}

TEST(Session, WhatIsOnItsWayToAStreamThatWeHaveResetIsPassedOver) {
  House house;
  house.shake_hands();
  house.request(1, House::get(), false);
  house.release(1);
  house.request(3);
  EXPECT_EQ(house.read(FrameType::RstStream).size(), 1U);
  house.send(model::data(1, "late", false) + house.head(1, {{"x-sum", "1"}}, true));
  house.request(5);
  EXPECT_EQ(house.said(), (Lines{"1 GET /", "3 GET /", "5 GET /"}));
  EXPECT_EQ(house.session().state(), State::Open);
}

TEST(Session, SoIsWhatIsOnItsWayToOneThatWasRefused) {
  Options options;
  options.max_streams = 1;
  House house(options);  // whose client has not heard of that
  house.request(1);
  house.request(3, House::get(), false);
  house.send(model::rst(1));
  house.release(1);
  house.read();
  house.request(5);
  house.send(house.head(3, {{"x-sum", "1"}}, true));
  EXPECT_EQ(house.said(), (Lines{"1 GET /", "1 reset 8", "5 GET /"}));
  EXPECT_EQ(house.counters().refused_streams, 1U);
  EXPECT_EQ(house.session().state(), State::Open);
}

TEST(Session, ASelfDependencyIsTheEnd) {
  House house;
  house.shake_hands();
  house.send(model::priority(1, 3) + model::priority(3, 1));
  EXPECT_EQ(house.session().state(), State::Open);
  house.send(model::priority(5, 5));
  EXPECT_EQ(house.session().fault(), Fault::BadPriority);
  House other;
  other.send(model::priority(0, 5));
  EXPECT_EQ(other.session().fault(), Fault::BadPriority);
}

}  // namespace
}  // namespace celadon::h2
