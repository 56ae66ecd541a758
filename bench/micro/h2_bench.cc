// What one request of HTTP/2 and its answer cost, without sockets and Python: 32
// streams in a turn, as a client sends them that knows its own fields again.
#include <benchmark/benchmark.h>
#include <nghttp2/nghttp2.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "h2/session.h"

namespace {
using namespace celadon;
using namespace celadon::h2;

std::string number(std::uint64_t value, int bytes) {
  std::string out;
  for (int i = bytes - 1; i >= 0; --i) out += static_cast<char>(value >> (8 * i));
  return out;
}
std::string frame(FrameType type, unsigned flags, StreamId stream,
                  std::string_view payload) {
  std::string out = number(payload.size(), 3);
  out += static_cast<char>(type);
  out += static_cast<char>(flags);
  return (out += number(static_cast<std::uint32_t>(stream), 4)).append(payload);
}

class Client {
 public:
  Client() { nghttp2_hd_deflate_new(&deflater_, 4096); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  ~Client() { nghttp2_hd_deflate_del(deflater_); }

  std::string request() {
    std::vector<nghttp2_nv> fields;
    for (const auto& [name, value] : kFields) {
      fields.push_back(
          {bytes(name), bytes(value), name.size(), value.size(), NGHTTP2_NV_FLAG_NONE});
    }
    std::string block(1000, '\0');
    const auto size = nghttp2_hd_deflate_hd(deflater_, bytes(block), block.size(),
                                            fields.data(), fields.size());
    block.resize(static_cast<std::size_t>(size));
    return frame(FrameType::Headers, flag::kEndStream | flag::kEndHeaders, next_ += 2,
                 block);
  }

 private:
  using Field = std::pair<std::string_view, std::string_view>;
  static constexpr Field kFields[]{{":method", "GET"},
                                   {":scheme", "https"},
                                   {":path", "/"},
                                   {":authority", "example.org"},
                                   {"user-agent", "bench/1.0"},
                                   {"accept", "*/*"}};
  static std::uint8_t* bytes(std::string_view text) {
    return reinterpret_cast<std::uint8_t*>(const_cast<char*>(text.data()));
  }
  nghttp2_hd_deflater* deflater_ = nullptr;
  StreamId next_ = -1;
};

class Hello : public Events {
 public:
  void on_request(Stream& stream, const Head&) noexcept override {
    static constexpr http::HeaderView kFields[]{{"Content-Type", "text/plain"}};
    static constexpr http::HeaderView kOwn[]{{"Content-Length", "13"},
                                             {"Date", "Sun, 06 Nov 1994 08:49:37 GMT"},
                                             {"Server", "celadon"}};
    session->send_head(stream, 200, kFields, kOwn, Part::More);
    session->send_data(stream, "Hello, World!", {}, Part::Last);
    session->release(stream);
  }
  void on_refused(Stream&, http::Rejection, const Head&) noexcept override {}
  void on_malformed(http::Rejection, const Head&) noexcept override {}
  void on_goaway(ErrorCode) noexcept override {}

  Session* session = nullptr;
};

void hello(benchmark::State& state) {
  const http::Limits limits;
  Engine engine({}, limits);
  Hello app;
  Session session(engine, app);
  app.session = &session;
  Client client;
  session.receive(std::string(kPreface) + frame(FrameType::Settings, 0, 0, ""), 0);
  const std::string credit =
      frame(FrameType::WindowUpdate, 0, 0,
            number(static_cast<std::uint64_t>(state.range(0)) * 13, 4));
  std::string out;
  for (auto _ : state) {
    std::string in = credit;
    for (std::int64_t i = 0; i < state.range(0); ++i) in += client.request();
    session.receive(in, 0);
    out.clear();
    session.write(out, 1 << 16);
    benchmark::DoNotOptimize(out.data());
  }
  if (session.fault() != Fault::None) state.SkipWithError("the session has failed");
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(hello)->Arg(1)->Arg(32);

// What of that is the client's.
void ask(benchmark::State& state) {
  Client client;
  for (auto _ : state) {
    std::string in;
    for (std::int64_t i = 0; i < state.range(0); ++i) in += client.request();
    benchmark::DoNotOptimize(in.data());
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(ask)->Arg(32);

}  // namespace
