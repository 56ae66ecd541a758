// Where this process writes its series: in memory of its own until it is a worker or
// the master of some, then in the slab.
#pragma once

#include <cstdint>
#include <memory>

#include "base/shared_memory.h"
#include "metrics/slab.h"

namespace celadon::module {

// Guarded by the interpreter's lock, like all that is written there.
class SeriesHome {
 public:
  [[nodiscard]] metrics::SeriesWriter& writer() noexcept;
  // Changes when cells that were found before are no longer the right ones.
  [[nodiscard]] std::uint64_t epoch() const noexcept { return epoch_; }
  // The slab whose sums are those of the server; null before there is one.
  [[nodiscard]] const metrics::Slab* slab() const noexcept { return slab_; }

  // In the master: what was written so far goes with it, and counts once.
  void move_to_master(metrics::Slab& slab) noexcept;
  // The slab goes: what was written there comes along.
  void leave_master() noexcept;
  // In a worker, after the fork.
  void move_to_worker(metrics::Slab& slab, std::size_t slot) noexcept;

 private:
  void make_own() noexcept;

  static constexpr std::size_t kOwnBytes = std::size_t{4} << 20;
  static constexpr std::size_t kOwnSeries = 10'000;

  SharedMemory own_memory_;
  std::unique_ptr<metrics::SeriesWriter> own_;
  metrics::SeriesWriter* writer_ = nullptr;
  const metrics::Slab* slab_ = nullptr;
  std::uint64_t epoch_ = 1;
};

// Of this process.
[[nodiscard]] SeriesHome& series_home() noexcept;

}  // namespace celadon::module
