// A client that keeps the rules and an application that does, both at random: whatever
// the order, the windows and the pieces, every body arrives as it was sent, in both
// directions, and a drain loses no request.
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>
#include <vector>

#include "house.h"

namespace celadon::h2 {
namespace {

using model::Frame;

// What lies at `at` of a body is told by its stream.
std::string body_at(StreamId id, std::size_t at, std::size_t size) {
  std::string out(size, '\0');
  for (std::size_t i = 0; i < size; ++i) {
    out[i] = static_cast<char>((at + i) * 31 + static_cast<std::size_t>(id));
  }
  return out;
}

class Talk {
 public:
  explicit Talk(unsigned seed) : random_(seed) {
    house_.reads_at_once = false;
    initial_ = below(4) == 0 ? 1 : 20'000;
    house_.send(model::settings({{4, static_cast<std::uint32_t>(initial_)}}));
    hear();
    house_.send(model::settings_ack());
  }

  void run() {
    for (int i = 0; i < 2000; ++i) step();
    house_.session().announce_end();
    for (int i = 0; i < 100; ++i) step();
    for (int i = 0; i < 20'000 && !house_.session().is_over(); ++i) {
      finishing_ = true;
      step();
    }
    hear();
    // An application may have one still whose client has left.
    while (choose()) {
      asked_[chosen_].finished = true;
      house_.release(chosen_);
    }
    EXPECT_TRUE(house_.session().is_over());
    EXPECT_EQ(house_.session().fault(), Fault::None);
    EXPECT_EQ(house_.session().streams(), 0U);
    EXPECT_EQ(house_.session().heads().used(), 0U);
    for (const auto& [id, ask] : asked_) {
      // Behind the last stream that was named nothing is taken.
      if (ask.reset || id > last_) continue;
      EXPECT_TRUE(ask.ended) << id;
      EXPECT_EQ(ask.got, ask.answer) << id;
    }
  }
  [[nodiscard]] std::size_t answered() const { return answered_; }

 private:
  // One request, as both sides see it.
  struct Ask {
    std::size_t upload = 0;
    std::size_t answer = 0;
    std::size_t sent = 0;     // of the upload
    std::size_t written = 0;  // of the answer, by the application
    std::size_t got = 0;      // of the answer, by the client
    std::int64_t window = 0;  // that the client gave
    std::int64_t may_send = 65'535;
    bool begun = false;     // the head of its answer was given
    bool finished = false;  // the application is done with it
    bool ended = false;
    bool reset = false;
  };

  std::size_t below(std::size_t most) { return random_() % most; }

  void step() {
    house_.now += kSecond / 5;
    switch (below(8)) {
      case 0: return begin();
      case 1: return upload();
      case 2: return give_window();
      case 3: return give_all_windows();
      case 4: return read();
      case 5: return answer();
      case 6: return below(finishing_ ? 1000 : 40) == 0 ? give_up() : answer();
      default: return hear();
    }
  }
  Ask* any(bool open_upload = false) {
    std::vector<Ask*> found;
    std::vector<StreamId> ids;
    for (auto& [id, ask] : asked_) {
      if (ask.reset || (ask.ended && !open_upload)) continue;
      found.push_back(&ask);
      ids.push_back(id);
    }
    if (found.empty()) return nullptr;
    const std::size_t at = below(found.size());
    chosen_ = ids[at];
    return found[at];
  }

  // --- the client ---
  void begin() {
    std::size_t open = 0;
    for (const auto& [id, ask] : asked_) open += !ask.ended && !ask.reset;
    if (open >= 50 || goaway_) return;
    const StreamId id = next_;
    next_ += 2;
    Ask& ask = asked_[id];
    ask.upload = below(3) == 0 ? below(100'000) : 0;
    ask.answer = below(2) == 0 ? below(100'000) : below(30);
    ask.window = initial_;
    auto fields = House::get();
    if (below(2) == 0) {
      fields.emplace_back(
          "priority", "u=" + std::to_string(below(8)) + (below(2) == 0 ? ", i" : ""));
    }
    send(house_.head(id, fields, ask.upload == 0));
  }
  void upload() {
    Ask* ask = any(true);
    if (!ask || ask->sent == ask->upload) return;
    const auto most = std::min<std::int64_t>(ask->may_send, may_send_);
    const std::size_t size =
        std::min({ask->upload - ask->sent, below(16'385),
                  static_cast<std::size_t>(std::max<std::int64_t>(most, 0))});
    if (size == 0) return;
    const std::string bytes = body_at(chosen_, ask->sent, size);
    ask->sent += size;
    ask->may_send -= static_cast<std::int64_t>(size);
    may_send_ -= static_cast<std::int64_t>(size);
    send(model::data(chosen_, bytes, ask->sent == ask->upload));
  }
  void give_window() {
    Ask* ask = any();
    if (!ask || ask->window > 30'000) return;
    const auto by = static_cast<std::uint32_t>(1 + below(30'000));
    ask->window += by;
    send(model::window_update(chosen_, by));
  }
  void give_all_windows() {
    if (window_ > 100'000) return;
    const auto by = static_cast<std::uint32_t>(1 + below(200'000));
    window_ += by;
    send(model::window_update(0, by));
  }
  void give_up() {
    Ask* ask = any();
    if (!ask) return;
    ask->reset = true;
    send(model::rst(chosen_));
  }
  // In pieces.
  void send(std::string_view bytes) {
    while (!bytes.empty()) {
      const std::string_view piece = bytes.substr(0, 1 + below(bytes.size()));
      house_.send(piece);
      bytes.remove_prefix(piece.size());
    }
  }
  void hear() {
    std::string out;
    house_.session().write(out, 1 + below(40'000));
    for (const Frame& f : model::read_frames(out)) take(f);
  }
  void take(const Frame& f) {
    switch (f.type) {
      case FrameType::Headers:
        EXPECT_FALSE(house_.decoder.fields(f.payload).empty());
        if (f.ends()) end(f.stream);
        return;
      case FrameType::Data: return take_data(f);
      case FrameType::WindowUpdate:
        (f.stream == 0 ? may_send_ : asked_[f.stream].may_send) +=
            static_cast<std::int64_t>(model::read_number(f.payload));
        return;
      case FrameType::RstStream:
        // The answer was whole, and the rest of the request is not wanted.
        EXPECT_TRUE(f.code() == ErrorCode::NoError || asked_[f.stream].reset);
        asked_[f.stream].sent = asked_[f.stream].upload;
        return;
      case FrameType::Goaway:
        goaway_ = true;
        last_ = f.last();
        EXPECT_EQ(f.code(), ErrorCode::NoError);
        return;
      case FrameType::Ping:
        send(model::frame(FrameType::Ping, flag::kAck, 0, f.payload));
        return;
      default: return;
    }
  }
  void take_data(const Frame& f) {
    Ask& ask = asked_[f.stream];
    EXPECT_FALSE(ask.ended);
    EXPECT_EQ(f.payload, body_at(f.stream, ask.got, f.payload.size()));
    ask.got += f.payload.size();
    ask.window -= static_cast<std::int64_t>(f.payload.size());
    window_ -= static_cast<std::int64_t>(f.payload.size());
    EXPECT_GE(ask.window, 0) << f.stream;
    EXPECT_GE(window_, 0);
    if (f.ends()) end(f.stream);
  }
  void end(StreamId id) {
    asked_[id].ended = true;
    ++answered_;
  }

  // --- the application ---
  // One of the requests that it has.
  bool choose() {
    std::vector<StreamId> ids;
    for (const auto& [id, request] : house_.held) {
      if (!asked_[id].finished) ids.push_back(id);
    }
    if (ids.empty()) return false;
    chosen_ = ids[below(ids.size())];
    return true;
  }
  void read() {
    if (!choose()) return;
    Stream& stream = house_.stream(chosen_);
    house_.session().credit(stream, below(stream.unread() + 1) + stream.unread() / 2);
    const std::string& body = house_.held.at(chosen_)->body;
    EXPECT_EQ(body, body_at(chosen_, 0, body.size()));
  }
  void answer() {
    if (!choose()) return;
    Ask& ask = asked_[chosen_];
    Session& session = house_.session();
    Stream& stream = house_.stream(chosen_);
    if (!ask.begun) {
      ask.begun = true;
      session.send_head(stream, 200, {}, {}, ask.answer == 0 ? Part::Last : Part::More);
    } else if (ask.written < ask.answer) {
      const std::size_t size =
          std::min(ask.answer - ask.written, 1 + below(finishing_ ? 100'000 : 30'000));
      ask.written += size;
      session.send_data(stream, body_at(chosen_, ask.written - size, size), {},
                        ask.written == ask.answer ? Part::Last : Part::More);
    } else {
      ask.finished = true;
      session.release(stream);
    }
  }

  std::mt19937 random_;
  House house_;
  std::map<StreamId, Ask> asked_;
  StreamId chosen_ = 0;
  StreamId next_ = 1;
  StreamId last_ = 0;
  std::int64_t initial_ = 0;
  std::int64_t window_ = 65'535;    // of the connection, that the client gave
  std::int64_t may_send_ = 65'535;  // likewise, of the server
  std::size_t answered_ = 0;
  bool goaway_ = false;
  bool finishing_ = false;
};

TEST(Random, EveryBodyArrivesAsItWasSent) {
  std::size_t answered = 0;
  for (unsigned seed = 0; seed < 40; ++seed) {
    SCOPED_TRACE(seed);
    Talk talk(seed);
    talk.run();
    answered += talk.answered();
    if (::testing::Test::HasFailure()) return;
  }
  EXPECT_GT(answered, 1000U);
}

}  // namespace
}  // namespace celadon::h2
