// A session between a model client and an application of the tests, which says in lines
// what it hears.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "h2/session.h"
#include "model.h"

namespace celadon::h2 {

using Lines = std::vector<std::string>;

class House : public Events {
 public:
  explicit House(const Options& options = {}, const http::Limits& limits = {})
      : limits_(limits),
        engine_(options, limits_),
        session_(std::make_unique<Session>(engine_, *this)) {
    session_->receive(std::string(kPreface) + model::settings(), now);
  }
  ~House() override { session_.reset(); }

  // --- the client ---
  void send(std::string_view bytes) { session_->receive(bytes, now); }
  // A block of fields, in one frame.
  std::string head(StreamId id, const model::Fields& fields, bool end = true) {
    return model::headers(id, encoder.block(fields), end);
  }
  static model::Fields get(std::string path = "/") {
    return {{":method", "GET"},
            {":scheme", "https"},
            {":path", std::move(path)},
            {":authority", "example.org"}};
  }
  static model::Fields with(model::Fields fields, const model::Fields& more) {
    fields.insert(fields.end(), more.begin(), more.end());
    return fields;
  }
  void request(StreamId id, const model::Fields& fields = get(), bool end = true) {
    send(head(id, fields, end));
  }
  // Everything that the session has to say, in pieces of at most so many bytes.
  std::vector<model::Frame> read(std::size_t most = 1 << 16) {
    std::string all;
    while (true) {
      std::string out;
      session_->write(out, most);
      if (out.empty()) break;
      all += out;
    }
    auto frames = model::read_frames(all);
    resets += std::ranges::count(frames, FrameType::RstStream, &model::Frame::type);
    return frames;
  }
  std::vector<model::Frame> read(FrameType type) {
    auto frames = read();
    std::erase_if(frames, [type](const model::Frame& f) { return f.type != type; });
    return frames;
  }
  // A client that has heard of our settings, and has said so.
  void shake_hands() {
    read();
    send(model::settings_ack());
  }

  // --- the application ---
  // Events of one stream, as lines.
  class Request : public StreamEvents {
   public:
    Request(House& house, Stream& stream) : house_(house), stream_(stream) {}
    void on_data(std::string_view data) noexcept override {
      say("data " + std::string(data.substr(0, 20)));
      body += data;
      if (house_.reads_at_once) house_.session_->credit(stream_, data.size());
    }
    void on_trailers(std::span<const http::HeaderView> fields) noexcept override {
      for (const auto& f : fields) {
        say("trailer " + std::string(f.name) + ": " + std::string(f.value));
      }
    }
    void on_end() noexcept override { say("end"); }
    void on_body_failed(http::Rejection why) noexcept override {
      say("failed: " + std::string(http::rejection_info(why).text));
    }
    void on_writable() noexcept override { say("writable"); }
    void on_reset(ErrorCode code) noexcept override {
      say("reset " + std::to_string(static_cast<int>(code)));
      if (house_.ends_when_reset) house_.release(stream_.id());
    }
    [[nodiscard]] Stream& stream() { return stream_; }
    std::string body;

   private:
    void say(const std::string& what) {
      house_.lines.push_back(std::to_string(stream_.id()) + " " + what);
    }
    House& house_;
    Stream& stream_;
  };

  void on_request(Stream& stream, const Head& head) noexcept override {
    ++requests;
    const http::Request& r = head.request;
    std::string line = std::to_string(stream.id()) + " ";
    line.append(r.text(r.method)).append(" ").append(r.path_text());
    if (!head.protocol.empty()) line.append(" ").append(head.protocol);
    lines.push_back(line);
    asked.clear();
    for (const http::Field& f : r.fields) asked.emplace_back(r.name(f), r.value(f));
    take(stream);
  }
  void on_refused(Stream& stream, http::Rejection why, const Head&) noexcept override {
    const auto info = http::rejection_info(why);
    lines.push_back(std::to_string(stream.id()) + " refused " +
                    std::to_string(info.status));
    session_->send_head(stream, info.status, {}, {}, Part::Last);
    session_->release(stream);
  }
  void on_malformed(http::Rejection why, const Head&) noexcept override {
    lines.push_back("malformed: " + std::string(http::rejection_info(why).text));
  }
  void on_goaway(ErrorCode code) noexcept override {
    lines.push_back("goaway " + std::to_string(static_cast<int>(code)));
  }

  void take(Stream& stream) {
    if (answers_at_once) {
      session_->send_head(stream, 200, {}, {}, Part::Last);
      session_->release(stream);
      return;
    }
    auto& request = held[stream.id()];
    request = std::make_unique<Request>(*this, stream);
    stream.set_events(request.get());
  }
  Stream& stream(StreamId id) { return held.at(id)->stream(); }
  void release(StreamId id) { session_->release(stream(id)); }
  // A whole answer.
  void answer(StreamId id, std::string_view body) {
    session_->send_head(stream(id), 200, {}, {},
                        body.empty() ? Part::Last : Part::More);
    if (!body.empty()) session_->send_data(stream(id), body, {}, Part::Last);
    release(id);
  }
  // What was heard since the last time.
  Lines said() { return std::exchange(lines, {}); }

  [[nodiscard]] Session& session() { return *session_; }
  [[nodiscard]] Counters& counters() { return engine_.counters(); }
  [[nodiscard]] Engine& engine() { return engine_; }

  Nanos now = kSecond;
  model::Encoder encoder;
  model::Decoder decoder;
  bool answers_at_once = false;
  bool reads_at_once = true;
  bool ends_when_reset = false;
  std::uint64_t requests = 0;
  std::ptrdiff_t resets = 0;  // that were read
  Lines lines;
  model::Fields asked;  // fields of the last request
  std::map<StreamId, std::unique_ptr<Request>> held;

 private:
  http::Limits limits_;
  Engine engine_;
  std::unique_ptr<Session> session_;
};

// Those of that kind, of that stream.
inline std::vector<model::Frame> frames_of(const std::vector<model::Frame>& frames,
                                           FrameType type, StreamId id) {
  std::vector<model::Frame> found;
  for (const model::Frame& f : frames) {
    if (f.type == type && f.stream == id) found.push_back(f);
  }
  return found;
}

inline std::string body_of(const std::vector<model::Frame>& frames, StreamId id) {
  std::string body;
  for (const model::Frame& f : frames_of(frames, FrameType::Data, id))
    body += f.payload;
  return body;
}

}  // namespace celadon::h2
