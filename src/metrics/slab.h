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
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/shared_memory.h"
#include "base/short_text.h"
#include "base/under_way.h"
#include "metrics/series.h"
#include "metrics/text_ring.h"

namespace celadon::metrics {

inline constexpr std::size_t kLine = 64;       // bytes of a cache line
inline constexpr std::size_t kCounters = 256;  // room for those of a worker
inline constexpr std::size_t kGauges = 64;

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
  // Checks of the application's own: until when the last verdict stands. 0: none.
  alignas(kLine) std::atomic<Nanos> fit_until;
  alignas(kLine) GaugeRow gauges;
  alignas(kLine) CounterRow counters;
  ShortText<256> last_words;  // why this worker gave up
  UnderWay under_way;         // what it was at
};

// Why a worker ended.
enum class Ending : std::uint8_t {
  Asked,  // a stop, or fewer are wanted
  Failed,
  Signal,
  Timeout,
  Requests,
  Lifetime,
  Memory,
  Reload,
  Boot,      // before it was ready
  Stubborn,  // it has a request that does not end
};
inline constexpr std::array<std::string_view, 10> kEndingNames{
    "asked",    "failed", "signal", "timeout", "max_requests",
    "lifetime", "rss",    "reload", "boot",    "stubborn"};
inline constexpr std::size_t kEndings = kEndingNames.size();

// What the master did; plain cells of its own.
struct Deeds {
  std::uint64_t spawned;
  std::array<std::uint64_t, kEndings> endings;
  std::uint64_t lost;  // requests that died with a worker
  std::uint64_t reloads;
  std::uint64_t rejected_reloads;
  std::uint64_t generation;
  double cpu_of_dead;  // seconds
};

// How the last reload went.
enum class Reload : std::uint8_t { None, Running, Done, Refused, Failed };
inline constexpr std::array<std::string_view, 5> kReloadNames{"none", "running", "done",
                                                              "refused", "failed"};

// A socket that the master has open for its workers.
struct ListenerEntry {
  std::atomic<std::uint64_t> inode;  // 0: none
  std::array<char, 56> name;         // with a zero at the end
};
inline constexpr std::size_t kListeners = 16;  // that are told of

// What the whole server says.
struct alignas(kLine) Summary {
  std::atomic<bool> stopping;  // no worker has a successor any more
  std::atomic<bool> draining;  // requests should go elsewhere; they are served
  std::atomic<bool> started;   // a worker has been ready once
  std::atomic<int> log_level;  // a Level and one; 0: as the settings say
  std::atomic<pid_t> master;
  std::atomic<Nanos> started_at;
  std::atomic<double> started_wall;    // seconds since 1970
  std::atomic<std::uint64_t> folding;  // odd while the master folds a slot
  Deeds deeds;
  std::atomic<Reload> reload;                       // the master's
  std::atomic<double> reloaded_wall;                // seconds since 1970
  ShortText<256> reload_failure;                    // why it was refused, or failed
  std::atomic<double> certificate_ends_wall;        // the first; 0: there is none
  std::array<ListenerEntry, kListeners> listeners;  // the master's
  CounterRow base;                                  // of workers that are gone
};

// The mapping is shared with every process that is forked later.
class Slab {
 public:
  // Room for series, of each worker and of those that are gone together.
  struct Room {
    std::size_t series = 10'000;
    std::size_t bytes = std::size_t{4} << 20;
  };
  // Null where the kernel gives no memory.
  [[nodiscard]] static std::unique_ptr<Slab> make(std::size_t slots) noexcept;
  [[nodiscard]] static std::unique_ptr<Slab> make(std::size_t slots,
                                                  Room room) noexcept;
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

  // Where the master adds series of workers that are gone, and has its own.
  [[nodiscard]] SeriesWriter& gone_series() noexcept;
  // By the master, before it forks.
  void lease(std::size_t slot, Nanos now) noexcept;
  // By the master, once the worker is gone.
  void take_back(std::size_t slot) noexcept;
  // A counter over the life of the server, by its place in the rows.
  [[nodiscard]] std::uint64_t total(std::size_t counter) const noexcept;

  [[nodiscard]] const Room& room() const noexcept { return room_; }
  // Series of a slot: the application's and the server's, and what held the loop.
  [[nodiscard]] SeriesList series(std::size_t slot) const noexcept;
  [[nodiscard]] SeriesList places(std::size_t slot) const noexcept;
  // Slow requests; those of the last worker stay until the next one has some.
  [[nodiscard]] TextRing slow(std::size_t slot) const noexcept;
  // What happened to workers: the master's.
  [[nodiscard]] TextRing events() const noexcept { return slow(count_); }
  // Those of workers that are gone.
  [[nodiscard]] SeriesList base_series() const noexcept { return series(count_); }
  [[nodiscard]] SeriesList base_places() const noexcept { return places(count_); }

  // Calls `read` until it has seen the slab with no slot half folded; a last time where
  // that takes longer than any fold does.
  template <class Read>
  void read_whole(Read read) const noexcept {
    for (int tries = 0; tries < kTries; ++tries) {
      const std::uint64_t before = summary_->folding.load(std::memory_order_acquire);
      if (before % 2 != 0) {
        pause();
        continue;
      }
      read();
      // No read moves behind this one; a fence would do, but TSan knows none.
      const std::uint64_t after =
          summary_->folding.fetch_add(0, std::memory_order_acq_rel);
      if (after == before) return;
    }
    read();
  }

 private:
  static constexpr int kTries = 1000;
  static constexpr std::size_t kPlaces = 512;  // of one process
  static constexpr std::size_t kPlaceBytes = std::size_t{1} << 20;
  static constexpr std::size_t kBesideSeries = kPlaceBytes + TextRing::kBytes;

  Slab(SharedMemory memory, std::size_t slots, Room room) noexcept;
  static void pause() noexcept;
  static void fold(SeriesList list, SeriesWriter& gone) noexcept;
  [[nodiscard]] std::byte* lists(std::size_t slot) const noexcept;
  SharedMemory memory_;
  Room room_;
  Summary* summary_;
  Slot* slots_;
  std::size_t count_;
  // The master's, once a worker has ended.
  std::unique_ptr<SeriesWriter> gone_series_;
  std::unique_ptr<SeriesWriter> gone_places_;
};

}  // namespace celadon::metrics
