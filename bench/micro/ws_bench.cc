// What one message of a WebSocket costs, in and out, without sockets and Python; and
// how fast masks come off.
#include <benchmark/benchmark.h>

#include <array>
#include <string>

#include "ws/conversation.h"
#include "ws/frame_writer.h"
#include "ws/mask.h"

namespace {
using namespace celadon;
using namespace celadon::ws;

// A masked frame; the key does not matter.
std::string frame_of(std::string_view payload) {
  std::string out(FrameHead(Opcode::Text, payload.size()).bytes());
  out[1] = static_cast<char>(out[1] | 0x80);
  constexpr MaskKey kKey{1, 2, 3, 4};
  out.append(kKey.begin(), kKey.end());
  const std::size_t at = out.size();
  out += payload;
  unmask(payload, out.data() + at, kKey, 0);
  return out;
}

void echo(benchmark::State& state) {
  const Options options;
  DeflatePool pool(1);
  Conversation talk(options, 0, std::nullopt, pool);
  OutQueue out;
  const std::string frame =
      frame_of(std::string(static_cast<std::size_t>(state.range(0)), 'x'));
  std::array<iovec, 16> pieces{};
  for (auto _ : state) {
    std::string_view in = frame;
    while (const auto event = talk.receive(in, 0, out))
      benchmark::DoNotOptimize(talk.send_text(event->data, out));
    benchmark::DoNotOptimize(out.gather(pieces));
    out.consume(out.bytes());
  }
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(echo)->Arg(64)->Arg(1000)->Arg(65536);

void take_mask_off(benchmark::State& state) {
  const std::string from(static_cast<std::size_t>(state.range(0)), 'x');
  std::string to(from.size(), '\0');
  for (auto _ : state) {
    unmask(from, to.data(), {1, 2, 3, 4}, 1);
    benchmark::DoNotOptimize(to.data());
  }
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(take_mask_off)->Arg(64)->Arg(65536);

}  // namespace
