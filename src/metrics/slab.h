// Memory that the master and its processes share: what each worker says of itself.
//
//   master ──lease──► Slot ◄──counts, pulse── worker          admin ──reads──► all
//
// A slot is leased to one worker at a time. Every cell has one writer, which is the
// worker, but for those that say otherwise; who reads takes what it finds. When a
// worker is gone the master adds what it counted to the base row, so that sums never
// go back, and forgets its gauges.
#pragma once

#include <sys/types.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "base/clock.h"
#include "base/shared_memory.h"

namespace celadon::metrics {

inline constexpr std::size_t kLine = 64;      // bytes of a cache line
inline constexpr std::size_t kCounters = 64;  // room for those of a worker
inline constexpr std::size_t kGauges = 16;

// Places in a row of gauges.
namespace gauge {
inline constexpr std::size_t kConnections = 0;
inline constexpr std::size_t kInFlight = 1;  // requests with the application
inline constexpr std::size_t kQueued = 2;    // requests behind them
}  // namespace gauge

enum class SlotState : std::uint8_t { Free, Booting, Ready, Draining };

// Plain cells: one process writes them without a lock, others read what is there.
using CounterRow = std::array<std::uint64_t, kCounters>;
using GaugeRow = std::array<std::uint64_t, kGauges>;

// The compiler must look again each time: another process writes it.
[[nodiscard]] inline std::uint64_t read_cell(const std::uint64_t& cell) noexcept {
  return *static_cast<const volatile std::uint64_t*>(&cell);
}

// NOLINTNEXTLINE(clang-analyzer-optin.performance.Padding): a line for each writer
struct alignas(kLine) Slot {
  // When the slice began that runs now; 0: the worker waits, or its hub works.
  std::atomic<Nanos> pulse;
  // The master's, while it leases and takes back; in between the state is the worker's.
  std::atomic<std::uint64_t> lease;  // how often the slot was leased
  std::atomic<Nanos> leased_at;
  std::atomic<SlotState> state;
  std::atomic<pid_t> pid;
  // Connections that are on their way to this worker; others add, it takes away.
  alignas(kLine) std::atomic<std::int64_t> coming;
  alignas(kLine) GaugeRow gauges;
  alignas(kLine) CounterRow counters;
};

// What the whole server says.
struct alignas(kLine) Summary {
  std::atomic<bool> stopping;  // no worker has a successor any more
  std::atomic<bool> draining;  // requests should go elsewhere; they are served
  std::atomic<bool> started;   // a worker has been ready once
  std::atomic<pid_t> master;
  std::atomic<Nanos> started_at;
  CounterRow base;  // of workers that are gone
};

// The mapping is shared with every process that is forked later.
class Slab {
 public:
  // Null where the kernel gives no memory.
  [[nodiscard]] static std::unique_ptr<Slab> make(std::size_t slots) noexcept;
  Slab(const Slab&) = delete;
  Slab& operator=(const Slab&) = delete;

  // In a fork that is none of these processes: what it writes from now on nobody sees.
  // At the same address, where code of the parent's may still count.
  void make_private() noexcept { memory_.make_private(); }

  [[nodiscard]] std::span<Slot> slots() noexcept { return {slots_, count_}; }
  [[nodiscard]] std::span<const Slot> slots() const noexcept {
    return {slots_, count_};
  }
  [[nodiscard]] Summary& summary() noexcept { return *summary_; }
  [[nodiscard]] const Summary& summary() const noexcept { return *summary_; }

  // By the master, before it forks.
  void lease(std::size_t slot, Nanos now) noexcept;
  // By the master, once the worker is gone.
  void take_back(std::size_t slot) noexcept;
  // A counter over the life of the server, by its place in the rows.
  [[nodiscard]] std::uint64_t total(std::size_t counter) const noexcept;

 private:
  Slab(SharedMemory memory, std::size_t slots) noexcept;
  SharedMemory memory_;
  Summary* summary_;
  Slot* slots_;
  std::size_t count_;
};

}  // namespace celadon::metrics
