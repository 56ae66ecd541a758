// What a client of HTTP/2 sends behind its preface: however it is cut, the application
// hears the same and the same is answered; nothing is heard of a stream that is over,
// and nothing passes its bound. The first byte says how the application behaves.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "h2/session.h"

using namespace celadon;
using namespace celadon::h2;

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

enum Manner : std::uint8_t { kAnswersAtOnce = 1, kNeverReads = 2, kNeverAnswers = 4 };

// Everything that can be seen of a session.
struct Seen {
  std::string events;
  std::string answers;
  std::map<StreamId, std::string> bodies;  // those that were whole
  Fault fault = Fault::None;
  State state = State::Open;
  bool operator==(const Seen&) const = default;
};

class Application : public Events {
 public:
  Application(Engine& engine, std::uint8_t manner)
      : manner_(manner), session_(engine, *this) {}

  Seen hear(std::string_view bytes, std::size_t stride) {
    session_.receive(kPreface, 0);
    for (std::size_t at = 0; at < bytes.size(); at += stride) {
      session_.receive(bytes.substr(at, stride), 0);
    }
    for (std::size_t before = 1; before != seen_.answers.size();) {
      before = seen_.answers.size();
      session_.write(seen_.answers, before + (1 << 16));
    }
    seen_.fault = session_.fault();
    seen_.state = session_.state();
    return seen_;
  }
  [[nodiscard]] const Session& session() const { return session_; }

 private:
  class Request : public StreamEvents {
   public:
    Request(Application& app, Stream& stream) : app_(app), stream_(stream) {}
    void on_data(std::string_view data) noexcept override {
      require(!over_ && !cut_ && !data.empty());
      body_ += data;
      if (!(app_.manner_ & kNeverReads)) {
        app_.session_.credit(stream_, data.size());
      }
    }
    void on_trailers(std::span<const http::HeaderView> fields) noexcept override {
      require(!over_ && !cut_);
      for (const auto& f : fields) app_.note(f.name, f.value);
    }
    void on_end() noexcept override {
      require(!std::exchange(over_, true) && !cut_);
      app_.note("end", std::to_string(stream_.id()));
      app_.seen_.bodies[stream_.id()] = body_;
      finish();
    }
    void on_body_failed(http::Rejection why) noexcept override {
      require(!std::exchange(over_, true) && !cut_);
      app_.note("failed", http::rejection_info(why).text);
    }
    void on_writable() noexcept override { require(!cut_); }
    void on_reset(ErrorCode code) noexcept override {
      require(!std::exchange(cut_, true));
      app_.note("reset", std::to_string(static_cast<int>(code)));
      app_.session_.release(stream_);
    }
    void finish() {
      if (app_.manner_ & kNeverAnswers) return;
      app_.answer(stream_);
    }

   private:
    Application& app_;
    Stream& stream_;
    std::string body_;
    bool over_ = false;
    bool cut_ = false;
  };

  void note(std::string_view what, std::string_view more) {
    seen_.events.append(what).append(" ").append(more).append("\n");
  }
  void answer(Stream& stream) {
    const http::HeaderView fields[]{{"Content-Type", "text/plain"}};
    session_.send_head(stream, 200, fields, {}, Part::More);
    session_.send_data(stream, "hello", {}, Part::Last);
    session_.release(stream);
  }

  void on_request(Stream& stream, const Head& head) noexcept override {
    note("request", head.request.text(head.request.method));
    note(head.request.path_text(), head.ended ? "" : "...");
    for (const http::Field& f : head.request.fields) {
      require(!head.request.name(f).empty());
      note(head.request.name(f), head.request.value(f));
    }
    require(session_.streams() <= 100);
    require(session_.heads().used() <= Bounds{}.connection_heads);
    if (manner_ & kAnswersAtOnce) return answer(stream);
    auto& request = requests_[stream.id()];
    require(!request);
    request = std::make_unique<Request>(*this, stream);
    stream.set_events(request.get());
    if (head.ended) request->finish();
  }
  void on_refused(Stream& stream, http::Rejection why, const Head&) noexcept override {
    note("refused", http::rejection_info(why).text);
    session_.send_head(stream, http::rejection_info(why).status, {}, {}, Part::Last);
    session_.release(stream);
  }
  void on_malformed(http::Rejection why, const Head&) noexcept override {
    note("malformed", http::rejection_info(why).text);
  }
  void on_goaway(ErrorCode) noexcept override { note("goaway", ""); }

  const std::uint8_t manner_;
  Seen seen_;
  std::map<StreamId, std::unique_ptr<Request>> requests_;
  Session session_;
};

Seen hear(std::string_view bytes, std::size_t stride, std::uint8_t manner) {
  static const http::Limits limits;
  Options options;
  options.connect_protocol = true;
  Engine engine(options, limits);
  Application app(engine, manner);
  Seen seen = app.hear(bytes, stride);
  require(engine.counters().own_resets <= options.bounds.own_resets);
  return seen;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const Seen whole = hear(bytes, std::max<std::size_t>(bytes.size(), 1), data[0]);
  for (const std::size_t stride : {std::size_t{1}, std::size_t{7}}) {
    require(hear(bytes, stride, data[0]) == whole);
  }
  return 0;
}
