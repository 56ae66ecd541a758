// Arming, cancelling and running timers beside many others.
#include <benchmark/benchmark.h>

#include <memory>
#include <vector>

#include "loop/timers.h"

namespace {
using namespace celadon;

class Quiet final : public loop::Timer {
  void on_timer() noexcept override {}
};

void arm_and_cancel(benchmark::State& state) {
  loop::Timers timers(0);
  std::vector<std::unique_ptr<Quiet>> others;
  for (std::int64_t i = 0; i < state.range(0); ++i) {
    others.push_back(std::make_unique<Quiet>());
    timers.arm(*others.back(), (i % 60'000) * kMillisecond);
  }
  Quiet timer;
  for (auto _ : state) {
    timers.arm(timer, 30 * kSecond);
    timer.cancel();
  }
}
BENCHMARK(arm_and_cancel)->Arg(0)->Arg(100'000);

void arm_and_fire(benchmark::State& state) {
  loop::Timers timers(0);
  Quiet timer;
  Nanos now = 0;
  for (auto _ : state) {
    now += kMillisecond;
    timers.arm(timer, now);
    benchmark::DoNotOptimize(timers.advance(now));
  }
}
BENCHMARK(arm_and_fire);

}  // namespace
