// The attacks of HTTP/2, each by its row, with the bound that it must not pass told by
// counters: requests that reach the application, memory that is held, bytes that wait.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "house.h"

namespace celadon::h2 {
namespace {

using model::Fields;
using model::Frame;

constexpr int kMany = 100'000;

// A GOAWAY with that code is all that was said last, and nothing follows it.
void expect_end(House& house, Fault fault,
                ErrorCode code = ErrorCode::EnhanceYourCalm) {
  EXPECT_EQ(house.session().fault(), fault);
  EXPECT_EQ(house.counters().of(fault), 1U);
  const auto frames = house.read();
  ASSERT_FALSE(frames.empty());
  EXPECT_EQ(frames.back().type, FrameType::Goaway);
  EXPECT_EQ(frames.back().code(), code);
  EXPECT_TRUE(house.session().is_over());
  house.send(model::ping());
  EXPECT_TRUE(house.read().empty());
}

// Sends it again and again, until the session has failed; returns how often.
template <class Make>
int send_many(House& house, Make make, bool reads = false) {
  for (int i = 0; i < kMany; ++i) {
    house.send(make(i));
    if (reads && !has_failed(house.session().state())) house.read();
    if (has_failed(house.session().state())) return i + 1;
  }
  return kMany;
}

StreamId id_of(int i) {
  return 2 * i + 1;
}

// --- H220 ---

TEST(Attacks, H220RapidResetReachesTheApplicationAHundredTimes) {
  House house;
  house.shake_hands();
  house.ends_when_reset = true;
  const int sent = send_many(house, [&](int i) {
    return house.head(id_of(i), House::get()) + model::rst(id_of(i));
  });
  EXPECT_EQ(sent, 101);
  EXPECT_LE(house.requests, 101U);
  expect_end(house, Fault::RapidReset);
  EXPECT_EQ(house.counters().peer_resets, 100U);
}

TEST(Attacks, H220ACancelledRequestCountsUntilItsApplicationHasEnded) {
  Options options;
  options.max_streams = 10;
  House house(options);
  house.shake_hands();
  for (int i = 0; i < 50; ++i) {
    house.send(house.head(id_of(i), House::get()) + model::rst(id_of(i)));
    house.read();
  }
  EXPECT_EQ(house.requests, 10U);
  EXPECT_EQ(house.session().streams(), 10U);
  EXPECT_EQ(house.counters().refused_streams, 40U);
  EXPECT_EQ(house.session().state(), State::Open);
  house.release(1);
  house.request(id_of(50));
  EXPECT_EQ(house.requests, 11U);
}

TEST(Attacks, H220SlowCancelsAreBoundedToo) {
  House house;
  house.shake_hands();
  house.ends_when_reset = true;
  const int sent = send_many(house, [&](int i) {
    house.now += kSecond;
    return house.head(id_of(i), House::get()) + model::rst(id_of(i));
  });
  EXPECT_EQ(sent, 201);
  expect_end(house, Fault::Cancels);
}

TEST(Attacks, H220WhoReadsAnswersMayCancelSome) {
  House house;
  house.shake_hands();
  house.ends_when_reset = true;
  for (int i = 0; i < 1400; ++i) {
    house.now += kSecond / 10;
    house.request(id_of(i));
    if (i % 3 == 0) {
      house.answer(id_of(i), "x");
      house.read();
    } else {
      house.send(model::rst(id_of(i)));
    }
  }
  EXPECT_EQ(house.session().state(), State::Open);
}

TEST(Attacks, H220AnAnswerThatHasBegunIsNoUnansweredOne) {
  House house;
  house.shake_hands();
  house.ends_when_reset = true;
  for (int i = 0; i < 300; ++i) {
    house.now += kSecond;
    house.request(id_of(i));
    house.session().send_head(house.stream(id_of(i)), 200, {}, {}, Part::More);
    house.send(model::rst(id_of(i)));
  }
  EXPECT_EQ(house.session().state(), State::Open);
}

// --- H221 ---

// What makes us reset a stream, or end the connection at once.
struct Provocation {
  const char* name;
  Fault end;
  std::string (*make)(House&, StreamId);
};

class MadeYouReset : public ::testing::TestWithParam<Provocation> {};

TEST_P(MadeYouReset, H221IsBounded) {
  House house;
  house.shake_hands();
  house.ends_when_reset = true;
  const int sent =
      send_many(house, [&](int i) { return GetParam().make(house, id_of(i)); }, true);
  EXPECT_LE(house.requests, 64U);
  EXPECT_LE(house.counters().own_resets, 64U);
  EXPECT_EQ(sent, GetParam().end == Fault::OwnResets ? 64 : 1);
  house.read();
  EXPECT_EQ(house.session().fault(), GetParam().end);
  EXPECT_EQ(house.resets, GetParam().end == Fault::OwnResets ? 63 : 0);
  EXPECT_TRUE(house.session().is_over());
}

TEST_P(MadeYouReset, H221IsBoundedAtOnce) {
  House house;
  house.shake_hands();
  house.ends_when_reset = true;
  std::string all;
  for (int i = 0; i < 1000; ++i) all += GetParam().make(house, id_of(i));
  house.send(all);
  house.read();
  EXPECT_TRUE(house.session().is_over());
  EXPECT_LE(house.counters().own_resets, 64U);
  EXPECT_LE(house.session().streams(), 100U);
}

std::string request_and(House& house, StreamId id, const std::string& more,
                        bool end = false) {
  return house.head(id, House::get(), end) + more;
}
// A request, and another block behind it: the order matters to the encoder.
std::string request_and_block(House& house, StreamId id, const Fields& fields,
                              bool end) {
  const std::string head = house.head(id, House::get(), end);
  return head + house.head(id, fields);
}

INSTANTIATE_TEST_SUITE_P(
    Attacks, MadeYouReset,
    ::testing::Values(
        Provocation{"NoUpdate", Fault::BadFrame,
                    [](House& h, StreamId id) {
                      return request_and(h, id, model::window_update(id, 0));
                    }},
        Provocation{"WindowOverflow", Fault::OwnResets,
                    [](House& h, StreamId id) {
                      return request_and(h, id, model::window_update(id, 0x7fffffff));
                    }},
        Provocation{"PriorityTooShort", Fault::BadFrame,
                    [](House& h, StreamId id) {
                      return request_and(
                          h, id, model::frame(FrameType::Priority, 0, id, "1234"));
                    }},
        Provocation{"PriorityOnItself", Fault::BadPriority,
                    [](House& h, StreamId id) {
                      return request_and(h, id, model::priority(id, id));
                    }},
        Provocation{"HeadersOnHalfClosed", Fault::BadFrame,
                    [](House& h, StreamId id) {
                      return request_and_block(h, id, House::get(), true);
                    }},
        Provocation{"DataOnHalfClosed", Fault::BadFrame,
                    [](House& h, StreamId id) {
                      return request_and(h, id, model::data(id, "x", true), true);
                    }},
        Provocation{"WindowNotKept", Fault::OwnResets,
                    [](House& h, StreamId id) {
                      h.reads_at_once = false;
                      std::string all;
                      for (int i = 0; i < 5; ++i) {
                        all += model::data(id, std::string(16'000, 'x'), false);
                      }
                      return request_and(h, id, all);
                    }},
        Provocation{
            "LengthNotKept", Fault::OwnResets,
            [](House& h, StreamId id) {
              return h.head(id, House::with(House::get(), {{"content-length", "1"}}),
                            false) +
                     model::data(id, "xx", true);
            }},
        Provocation{"Malformed", Fault::OwnResets,
                    [](House& h, StreamId id) {
                      return h.head(id, House::with(House::get(), {{"A", "b"}}));
                    }},
        Provocation{"BadTrailer", Fault::OwnResets,
                    [](House& h, StreamId id) {
                      return request_and_block(h, id, {{":path", "/"}}, false);
                    }}),
    [](const auto& test) { return test.param.name; });

// --- H222 ---

TEST(Attacks, H222AnEndlessBlockIsTheEnd) {
  House house;
  house.shake_hands();
  const std::string block = house.encoder.block(House::get());
  house.send(model::headers(1, block, true, false));
  const std::string more = house.encoder.block({{"x", "y"}}, false);
  const int sent =
      send_many(house, [&](int) { return model::continuation(1, more, false); });
  EXPECT_EQ(sent, 9);
  EXPECT_EQ(house.requests, 0U);
  expect_end(house, Fault::Continuations);
}

TEST(Attacks, H222SoIsOneThatIsIgnored) {
  Options options;
  options.max_streams = 1;
  House house(options);
  house.shake_hands();
  house.request(1);
  house.send(model::rst(1));  // nghttp2 has room again, and we have not
  house.send(model::headers(3, house.encoder.block(House::get()), true, false));
  EXPECT_EQ(house.counters().refused_streams, 1U);
  EXPECT_EQ(send_many(house, [&](int) { return model::continuation(3, "", false); }),
            9);
  expect_end(house, Fault::Continuations);
}

TEST(Attacks, H222ABlockInPiecesIsARequest) {
  House house;
  house.shake_hands();
  const std::string block = house.encoder.block(
      House::with(House::get(), {{"x", "a value that needs some bytes"}}));
  std::string all = model::headers(1, block.substr(0, 2), true, false);
  const std::size_t step = (block.size() - 2) / 7;
  for (std::size_t i = 0; i < 8; ++i) {
    all += model::continuation(
        1, block.substr(2 + i * step, i == 7 ? block.size() : step), i == 7);
  }
  house.send(all);
  EXPECT_EQ(house.said(), (Lines{"1 GET /"}));
}

// --- H223, H224 ---

// A field that is in the table, and as often again as one byte each says so.
std::string bomb(House& house, StreamId id, std::size_t references) {
  std::string block = house.encoder.block(House::get());
  block += house.encoder.block({{"x", std::string(2900, 'v')}});
  // The newest entry of the dynamic table is the 62nd.
  block.append(references, static_cast<char>(0x80 | 62));
  std::string all;
  std::size_t at = std::min<std::size_t>(block.size(), 16'000);
  all = model::headers(id, block.substr(0, at), true, at == block.size());
  while (at < block.size()) {
    const std::string part = block.substr(at, 16'000);
    at += part.size();
    all += model::continuation(id, part, at == block.size());
  }
  return all;
}

TEST(Attacks, H223ABombIsDecodedUpToABound) {
  House house;
  house.shake_hands();
  house.send(bomb(house, 1, 16'000));
  EXPECT_EQ(house.requests, 0U);
  expect_end(house, Fault::HeaderBomb);
}

TEST(Attacks, H223ASmallerOneIsAnsweredAndNotKept) {
  House house;
  house.shake_hands();
  house.send(bomb(house, 1, 100));
  EXPECT_EQ(house.said(), (Lines{"1 refused 431"}));
  EXPECT_EQ(house.session().heads().used(), 0U);
  EXPECT_EQ(house.session().state(), State::Open);
  house.request(3);
  EXPECT_EQ(house.said(), (Lines{"3 GET /"}));
}

TEST(Attacks, H224AHundredStreamsOfLargeHeadsHoldWhatTheBudgetSays) {
  House house;
  house.send(model::settings({{4, 0}}));  // and they never take an answer
  house.shake_hands();
  const Bounds bounds;
  std::size_t most = 0;
  for (int i = 0; i < 200; ++i) {
    Fields fields = House::get();
    // In the table from the second one on: each of them is one byte.
    for (int j = 0; j < 20; ++j) fields.emplace_back("x", std::string(2900, 'v'));
    house.request(id_of(i), fields);
    house.read();
    most = std::max(most, house.session().heads().used());
  }
  EXPECT_LE(most, bounds.connection_heads);
  EXPECT_GT(most, bounds.connection_heads / 2);
  EXPECT_LT(house.requests, 100U);
  EXPECT_GT(house.counters().refused_streams, 0U);
  EXPECT_EQ(house.session().state(), State::Open);
  // It comes back.
  for (auto& [id, request] : house.held) house.session().release(request->stream());
  EXPECT_EQ(house.session().heads().used(), 0U);
  EXPECT_EQ(house.engine().heads().used(), 0U);
}

TEST(Attacks, H224ASessionThatEndsGivesBackWhatItHeld) {
  const http::Limits limits;
  Engine engine({}, limits);
  {
    House house;
    Session session(engine, house);
    session.receive(std::string(kPreface) + model::settings(), 0);
    model::Encoder encoder;
    session.receive(model::headers(1, encoder.block(House::get()), true), 0);
    EXPECT_GT(engine.heads().used(), 0U);
    house.held.clear();
  }
  EXPECT_EQ(engine.heads().used(), 0U);
}

// --- H225 ---

TEST(Attacks, H225PingsThatNobodyReadsTheAnswersOf) {
  House house;
  house.shake_hands();
  const int sent = send_many(house, [](int) { return model::ping(); });
  EXPECT_LE(sent, 1001);
  expect_end(house, Fault::ControlQueue);
}

TEST(Attacks, H225SettingsLikewise) {
  House house;
  house.shake_hands();
  const int sent = send_many(house, [](int) { return model::settings({{4, 1}}); });
  EXPECT_LE(sent, 1001);
  expect_end(house, Fault::ControlQueue);
}

TEST(Attacks, H225ResetsLikewise) {
  Options options;
  options.max_streams = 1;
  options.bounds.resets_burst = 1 << 20;
  House house(options);
  house.shake_hands();
  house.request(1);
  house.send(model::rst(1));
  // Each of them is refused, since the first is with the application still.
  int i = 1;
  for (; i < kMany && !has_failed(house.session().state()); ++i) {
    house.send(house.head(id_of(i), House::get()) + model::rst(id_of(i)));
  }
  EXPECT_LE(i, 1100);
  EXPECT_EQ(house.requests, 1U);
  expect_end(house, Fault::ControlQueue);
}

TEST(Attacks, H225ManySettingsInOneFrame) {
  House house;
  house.shake_hands();
  house.send(model::settings(model::Settings(32, {4, 70'000})));
  EXPECT_EQ(house.session().state(), State::Open);
  house.send(model::settings(model::Settings(33, {4, 70'000})));
  expect_end(house, Fault::SettingsFlood);
}

// --- H226 ---

TEST(Attacks, H226EmptyData) {
  House house;
  house.shake_hands();
  house.request(1, House::get(), false);
  EXPECT_EQ(send_many(house, [](int) { return model::data(1, "", false); }), 17);
  expect_end(house, Fault::EmptyFrames);
}

TEST(Attacks, H226EmptyHeaders) {
  House house;
  house.shake_hands();
  const int sent =
      send_many(house, [](int i) { return model::headers(id_of(i), "", false); }, true);
  EXPECT_EQ(sent, 17);
  expect_end(house, Fault::EmptyFrames);
}

TEST(Attacks, H226EmptyContinuations) {
  House house;
  house.shake_hands();
  house.send(model::headers(1, "", true, false));
  EXPECT_EQ(send_many(house, [](int) { return model::continuation(1, "", false); }), 9);
  expect_end(house, Fault::Continuations);
}

TEST(Attacks, H226WindowUpdates) {
  House house;
  house.shake_hands();
  const int sent =
      send_many(house, [](int) { return model::window_update(0, 1); }, true);
  EXPECT_EQ(sent, 101);
  expect_end(house, Fault::WindowUpdates);
}

TEST(Attacks, H226Priorities) {
  House house;
  house.shake_hands();
  EXPECT_EQ(send_many(house, [](int) { return model::priority(1, 3); }), 101);
  expect_end(house, Fault::Priorities);
  House other;
  other.shake_hands();
  EXPECT_EQ(send_many(other, [](int) { return model::priority_update(1, "u=1"); }),
            101);
  expect_end(other, Fault::Priorities);
}

// --- H228 ---

TEST(Attacks, H228UnknownFrames) {
  House house;
  house.shake_hands();
  const std::string junk =
      model::frame(static_cast<FrameType>(0xbe), 0, 0, std::string(16'000, 'j'));
  const int sent = send_many(house, [&](int) { return junk; });
  EXPECT_LE(static_cast<std::size_t>(sent) * junk.size(), (8U << 20) + 2 * junk.size());
  expect_end(house, Fault::Overhead);
}

TEST(Attacks, H228Padding) {
  House house;
  house.shake_hands();
  house.request(1, House::get(), false);
  const std::string padded = model::padded_data(1, "x", 255, false);
  const int sent = send_many(house, [&](int) { return padded; }, true);
  EXPECT_LE(static_cast<std::size_t>(sent) * padded.size(), 9U << 20);
  expect_end(house, Fault::Overhead);
}

TEST(Attacks, H228PingsThatAreRead) {
  House house;
  house.shake_hands();
  std::string pings;
  for (int i = 0; i < 100; ++i) pings += model::ping();
  const int sent = send_many(house, [&](int) { return pings; }, true);
  EXPECT_LE(static_cast<std::size_t>(sent) * pings.size(),
            (8U << 20) + 2 * pings.size());
  expect_end(house, Fault::Overhead);
}

TEST(Attacks, H228WhoSendsAndGetsDataMayGoOnForEver) {
  House house;
  house.shake_hands();
  house.request(1, House::get(), false);
  for (int i = 0; i < 4000; ++i) {
    house.send(model::data(1, std::string(4000, 'x'), false) + model::ping());
    house.read();
    house.held.at(1)->body.clear();
  }
  EXPECT_EQ(house.session().fault(), Fault::None);
}

}  // namespace
}  // namespace celadon::h2
