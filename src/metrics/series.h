// Series with labels, of one process: an append-only list of entries in shared memory.
// Whoever writes finds its entries by an index of its own; who reads walks the list.
//
//   header │ entry: size, merge, cells, key ... │ entry │ ...
//
// Entries are never moved or taken back while their writer lives. The key of a sample
// is FAMILY, a zero byte, and its labels as they are printed, maybe with another zero
// byte and the bounds of a histogram; that of a declaration describes a family
// (metrics/declaration.h).
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>

namespace celadon::metrics {

// How the cells of several processes become one.
enum class Merge : std::uint8_t {
  Declaration,  // no cells
  Sum,          // counters: what a dead process counted stays
  LiveSum,      // gauges: it goes
  Max,
  Min,
  Recent,  // of two cells the second is when the first was set
  Each,    // not at all
  Place,   // what held a loop, by kPlaceCells; kept like a counter
};
// How often, seconds in all, the longest, and when the last one was.
inline constexpr std::size_t kPlaceCells = 4;
// Adds cells of the same series that another process has counted.
void merge_cells(Merge merge, std::span<const double> from,
                 std::span<double> to) noexcept;

// A plain cell: one process writes it, others read what is there.
[[nodiscard]] inline double read_cell(const double& cell) noexcept {
  return *static_cast<const volatile double*>(&cell);
}

struct Series {
  Merge merge = Merge::Sum;
  std::string_view key;
  std::span<const double> cells;
};

class SeriesList {
 public:
  struct Header {
    std::atomic<std::uint32_t> used;     // bytes of entries
    std::atomic<std::uint32_t> count;    // samples
    std::atomic<std::uint64_t> dropped;  // samples of series that there was no room for
  };
  SeriesList() noexcept = default;
  // `memory` holds zeros at first, and is aligned to a cache line.
  SeriesList(std::byte* memory, std::size_t size) noexcept
      : header_(reinterpret_cast<Header*>(memory)), size_(size) {}

  [[nodiscard]] std::uint32_t count() const noexcept {
    return header_->count.load(std::memory_order_relaxed);
  }
  [[nodiscard]] std::uint64_t dropped() const noexcept {
    return header_->dropped.load(std::memory_order_relaxed);
  }
  void add_dropped(std::uint64_t n) noexcept {
    header_->dropped.fetch_add(n, std::memory_order_relaxed);
  }
  // Null where there is no room.
  [[nodiscard]] double* append(Merge merge, std::string_view key,
                               std::size_t cells) noexcept;
  void clear() noexcept;
  [[nodiscard]] bool is_empty() const noexcept {
    return header_->used.load(std::memory_order_acquire) == 0 && dropped() == 0;
  }

  // The next entry at or after `at`, which is moved behind it; none at the end, or
  // where the memory is not what it should be.
  [[nodiscard]] std::optional<Series> next(std::size_t& at) const noexcept;

 private:
  struct Entry {
    std::uint32_t size;
    Merge merge;
    std::uint8_t unused;
    std::uint16_t cells;
    std::uint32_t key;
    std::uint32_t unused_too;
  };
  [[nodiscard]] std::byte* entries() const noexcept {
    return reinterpret_cast<std::byte*>(header_ + 1);
  }
  [[nodiscard]] std::size_t room() const noexcept { return size_ - sizeof(Header); }

  Header* header_ = nullptr;
  std::size_t size_ = 0;
};

// The writer's side.
class SeriesWriter {
 public:
  // At most `most` samples: those of further series go to one of which every label is
  // `_other`.
  SeriesWriter(SeriesList list, std::size_t most) noexcept : list_(list), most_(most) {}

  void declare(std::string_view declaration) noexcept;
  // The cells of a sample, zeros at first. `labels`: as they are printed; `other`:
  // likewise, for the case that there are too many. Empty: no room at all.
  [[nodiscard]] std::span<double> find(std::string_view family, std::string_view labels,
                                       Merge merge, std::size_t cells,
                                       std::string_view other) noexcept;
  // Likewise by the whole key; empty where there is none and no room.
  [[nodiscard]] std::span<double> find_key(std::string_view key, Merge merge,
                                           std::size_t cells) noexcept;
  // Likewise by the family alone: `labels` of the first stand for all.
  [[nodiscard]] std::span<double> find_first(std::string_view family,
                                             std::string_view labels, Merge merge,
                                             std::size_t cells) noexcept;
  // Adds what a list of a process that is gone holds.
  void take_over(const SeriesList& gone) noexcept;
  // Likewise of this very process, which goes on: gauges too.
  void adopt(const SeriesList& own) noexcept;
  [[nodiscard]] SeriesList& list() noexcept { return list_; }

 private:
  void take(const Series& series) noexcept;
  SeriesList list_;
  const std::size_t most_;
  std::unordered_map<std::string, std::span<double>> index_;
};

}  // namespace celadon::metrics
